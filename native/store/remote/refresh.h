// Prolongs the lives of records that lookups met with too little life left: gathered, each key once
// in a while, and sent as one call.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "store/remote/key_space.h"
#include "store/remote/routes.h"
#include "store/remote/value.h"

namespace rxnf::remote {

class Refresher {
 public:
  Refresher(Routes &routes, const KeySpace &keys, const Schema &schema);
  ~Refresher();

  // True when a record with this deadline is to be prolonged: with less than T + T/16 left, since
  // the server's clock is known to within a round trip.
  bool is_due(uint64_t deadline_ms, uint8_t timer, uint64_t server_ms) const {
    const uint64_t t = schema_.idle_ms[timer & 3];
    return deadline_ms != 0 && deadline_ms < server_ms + t + t / 16;
  }
  void add(const Key &key, uint64_t version, uint64_t now_ns);
  // Sends what has gathered.
  void poll(uint64_t now_ns);

 private:
  struct Entry {
    Key key;
    uint64_t version;
  };
  struct Asked {
    Key key;
    uint64_t at_ns;
  };
  class Call;

  static constexpr uint64_t gather_ns = 5'000'000;
  static constexpr uint64_t again_ns = 250'000'000;  // before a key is asked for once more
  static constexpr size_t at_once = 256;             // keys of a call
  static constexpr size_t most = 4096;               // gathered; the next lookup asks again
  static constexpr size_t remembered = 4096;

  Routes &routes_;
  const KeySpace &keys_;
  const Schema schema_;
  std::vector<std::vector<Entry>> gathered_;  // by group
  std::vector<std::unique_ptr<Call>> calls_;  // likewise: one under way
  std::vector<Asked> asked_;
  size_t waiting_ = 0;
  uint64_t sent_at_ns_ = 0;
};

}  // namespace rxnf::remote

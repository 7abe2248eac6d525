// Proves that versions lie on enough replicas (docs/decisions/0007-state-outside.md, Commit).
//
//   FCALL_RO rxnf1_stand  do they stand on this primary?
//   SET                   a write of our own: what was before it lies before it in replication
//   WAIT n                how many replicas have it
//
// on a connection of its own, since what follows a WAIT waits with it; one such round at a time,
// for everything that has gathered meanwhile. All three go to one primary, so a proof holds whoever
// answered the write. What is proved is marked, so that readers need not ask.
#pragma once
#include <memory>
#include <vector>

#include "store/remote/connection.h"
#include "store/remote/key_space.h"

namespace rxnf::remote {

// What somebody wants to know of some versions. Stays where it is until it was decided.
class Proof {
 public:
  struct Entry {
    Key key;
    uint64_t version;  // 0: of a removal, for which the WAIT alone counts
    uint16_t subject;  // whatever who asks knows it by
    uint8_t partition;
    bool holds = false;  // the answer
  };

  virtual ~Proof() = default;
  virtual void decided() = 0;

  const KeySpace *keys = nullptr;
  uint32_t replicas = 0;
  std::vector<Entry> entries;
};

class Prover {
 public:
  Prover(const ConnectionOptions &options, uint32_t writer);
  ~Prover();

  void prove(Proof &proof) { waiting_.push_back(&proof); }
  void poll(uint64_t now_ns);
  void redirect(const std::string &host, uint16_t port, uint64_t now_ns) {
    connection_.redirect(host, port, now_ns);
  }
  void close();
  Connection &connection() { return connection_; }

 private:
  class Round;
  class Mark;

  static constexpr size_t at_once = 512;  // entries of a round, unless one proof has more
  static constexpr size_t marks = 4096;   // gathered; of more the next reader asks again

  Connection connection_;
  std::unique_ptr<Round> round_;
  std::unique_ptr<Mark> mark_;
  std::vector<Proof *> waiting_;
};

}  // namespace rxnf::remote

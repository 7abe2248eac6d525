// Looks up a batch's keys at a server: one MGET (for each group of partitions), each key once, and
// the replies go from the receive buffer into the register's columns, as LookupKernel leaves them.
#pragma once
#include <vector>

#include "kernels/keys.h"
#include "kernels/lookup.h"
#include "store/remote/key_space.h"
#include "store/remote/operation.h"
#include "store/remote/refresh.h"
#include "store/remote/routes.h"
#include "store/remote/value.h"

namespace rxnf {
class Lane;
}

namespace rxnf::remote {

class RemoteLookup : public Operation {
 public:
  RemoteLookup(Lane &lane, Routes &routes, Refresher &refresher, const KeySpace &keys,
               const Schema &schema, const LookupConfig &config, const Reasons &reasons);
  ~RemoteLookup() override;

  int32_t start(uint32_t batch, uint64_t now_ns) override;
  void cancel(uint32_t flight) override;
  bool finish() override;

 private:
  class Part;
  struct Flight;

  uint32_t stage(Flight &f);
  void divide(Flight &f);
  void take(Part &part, uint32_t unique, const resp::Token &t);
  void complete(Flight &f);
  uint64_t now_ns() const;

  Lane &lane_;
  Routes &routes_;
  Refresher &refresher_;
  const KeySpace &keys_;
  const Schema schema_;
  const LookupConfig config_;
  const Reasons reasons_;
  const Keys make_key_;
  // A ring of twice the lane's batches, since a cancelled one stays; and one for when it is full.
  std::vector<Flight> flights_;
  uint32_t from_ = 0, to_ = 0;
  uint64_t server_ms_ = 0;  // while replies are read
};

}  // namespace rxnf::remote

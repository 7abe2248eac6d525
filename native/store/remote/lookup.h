// Looks up a batch's keys at a server: one MGET (for each group of partitions), each key once, and
// the replies go from the receive buffer into the register's columns, as LookupKernel leaves them.
#pragma once
#include "kernels/keys.h"
#include "kernels/lookup.h"
#include "store/remote/flights.h"
#include "store/remote/key_space.h"
#include "store/remote/refresh.h"
#include "store/remote/value.h"

namespace rxnf::remote {

class LookupPart;
struct LookupFlight;

class RemoteLookup : public Flights<RemoteLookup, LookupFlight, LookupPart> {
 public:
  RemoteLookup(Lane &lane, Routes &routes, Refresher &refresher, const KeySpace &keys,
               const Schema &schema, const LookupConfig &config, const Reasons &reasons);
  ~RemoteLookup() override;

 private:
  friend class Flights<RemoteLookup, LookupFlight, LookupPart>;
  friend class LookupPart;

  void stage(LookupFlight &f);
  void refuse(LookupFlight &f);
  void complete(LookupFlight &f);
  void take(LookupPart &part, uint32_t key, const resp::Token &t);
  uint64_t now_ns() const;

  Refresher &refresher_;
  const KeySpace &keys_;
  const Schema schema_;
  const LookupConfig config_;
  const Reasons reasons_;
  const Keys make_key_;
  uint64_t server_ms_ = 0;  // while replies are read
};

}  // namespace rxnf::remote

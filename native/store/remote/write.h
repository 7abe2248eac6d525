// Performs a batch's staged writes at a server: one FCALL (for each group of partitions), and what
// they came to goes into the register's columns, as WriteKernel leaves it.
//
// A call whose reply was lost is sent again until it is due, and is performed once: the server
// knows each writer's last call. What a repeated call had come to is known where its version
// stands. Of the others, and of a call that was never answered, the row's state is `unknown`: it is
// not decided again, and the packets that depend on it are dropped. A write that was never sent
// leaves the row as if it had been refused.
#pragma once
#include <vector>

#include "lane/batch.h"
#include "store/remote/key_space.h"
#include "store/remote/operation.h"
#include "store/remote/routes.h"
#include "store/remote/value.h"

namespace rxnf {
class Lane;
}

namespace rxnf::remote {

class RemoteWrite : public Operation {
 public:
  // `partition_capacity`: records that one partition of the table holds at the most.
  RemoteWrite(Lane &lane, Routes &routes, const KeySpace &keys, const Schema &schema, uint32_t reg,
              uint32_t partition_capacity, const Reasons &reasons);
  ~RemoteWrite() override;

  int32_t start(uint32_t batch, uint64_t now_ns) override;
  void cancel(uint32_t flight) override;
  bool finish() override;

 private:
  class Part;
  struct Flight;

  void stage(Flight &f);
  void divide(Flight &f);
  void complete(Flight &f);
  bool conclude(Flight &f, uint32_t n);
  void drop(Batch &b, uint32_t row, uint32_t reason) const;

  Lane &lane_;
  Routes &routes_;
  const KeySpace &keys_;
  const Schema schema_;
  const uint32_t reg_, partition_capacity_;
  const Reasons reasons_;
  // A ring of twice the lane's batches, since a cancelled one stays; and one for when it is full.
  std::vector<Flight> flights_;
  uint32_t from_ = 0, to_ = 0;
};

}  // namespace rxnf::remote

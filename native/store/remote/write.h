// Performs a batch's staged writes at a server: one FCALL (for each group of partitions), and what
// they came to goes into the register's columns, as WriteKernel leaves it.
//
// A call whose reply was lost is sent again until it is due, and is performed once: the server
// knows each writer's last call. What a repeated call had come to is known where its version
// stands. Of the others, and of a call that was never answered, the row's state is `unknown`: it is
// not decided again, and the packets that depend on it are dropped. Likewise of a swap that was
// never sent or was refused; an insert leaves a miss then.
#pragma once
#include "store/remote/flights.h"
#include "store/remote/key_space.h"
#include "store/remote/value.h"

namespace rxnf::remote {

class WritePart;
struct WriteFlight;

class RemoteWrite : public Flights<RemoteWrite, WriteFlight, WritePart> {
 public:
  // `partition_capacity`: records that one partition of the table holds at the most.
  RemoteWrite(Lane &lane, Routes &routes, const KeySpace &keys, const Schema &schema, uint32_t reg,
              uint32_t partition_capacity, const Reasons &reasons);
  ~RemoteWrite() override;

 private:
  friend class Flights<RemoteWrite, WriteFlight, WritePart>;
  friend class WritePart;

  void stage(WriteFlight &f);
  void refuse(WriteFlight &) {}  // what is staged has failed until it is answered
  void complete(WriteFlight &f);
  bool conclude(WriteFlight &f, uint32_t n);
  void drop(Batch &b, uint32_t row, uint32_t reason) const;

  const KeySpace &keys_;
  const Schema schema_;
  const uint32_t reg_, partition_capacity_;
  const Reasons reasons_;
};

}  // namespace rxnf::remote

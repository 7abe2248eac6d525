// What is done with one batch after another at a store that takes time: requests go out, one or (on
// a cluster) one for each group of partitions, and batches come back in the order of their
// starting.
#pragma once
#include <cstdint>

#include "store/remote/request.h"

namespace rxnf::remote {

// Drop reasons, as the lane numbers them.
struct Reasons {
  uint32_t unavailable;      // the store is away
  uint32_t timeout;          // it did not answer in time
  uint32_t full;             // it has no memory, or the table no room
  uint32_t refused;          // it answered with an error
  uint32_t schema_mismatch;  // the record is of another schema
  uint32_t unproved;         // its version is not known to be on as many replicas as it should
};

// How a part of a batch ended.
enum class Ending : uint8_t { answered, unsent, unavailable, timed_out, full, refused, unproved };

inline uint32_t reason_of(Ending e, const Reasons &r) {
  switch (e) {
    case Ending::timed_out:
      return r.timeout;
    case Ending::full:
      return r.full;
    case Ending::refused:
      return r.refused;
    case Ending::unproved:
      return r.unproved;
    default:
      return r.unavailable;
  }
}

inline Ending ending_of(Fate fate, Ending answered) {
  switch (fate) {
    case Fate::answered:
      return answered;
    case Fate::unsent:
      return Ending::unsent;
    case Fate::timed_out:
      return Ending::timed_out;
    default:
      return Ending::unavailable;
  }
}

class Operation {
 public:
  static constexpr int32_t done_at_once = -1;

  virtual ~Operation() = default;
  // A number for `cancel`, or `done_at_once`.
  virtual int32_t start(uint32_t batch, uint64_t now_ns) = 0;
  // The batch has another owner: nothing is written into it any more, and it does not come back.
  virtual void cancel(uint32_t flight) = 0;
  // Finishes the next batch in order; false while it is not through.
  virtual bool finish() = 0;
};

}  // namespace rxnf::remote

// Batches of one operation that are under way: in the order of their starting, each divided into
// one request for each group of partitions.
//
// A batch that is taken away while its requests are out stays in its place until they have come
// back, so the ring has room for twice the lane's batches; one more serves when even that is full.
#pragma once
#include <vector>

#include "lane/lane.h"
#include "store/remote/operation.h"
#include "store/remote/routes.h"

namespace rxnf::remote {

// What every flight has; its keys are those that `stage` found.
struct FlightHead {
  Batch batch;  // its columns
  bool cancelled = false;
  uint32_t count = 0, parts_out = 0;
  uint16_t order[max_rows];     // keys by group
  uint8_t partition[max_rows];  // by key
};

// `Part`: a request with `owner`, `flight`, and `from` and `count` in the flight's order.
template <typename Owner, typename Flight, typename Part>
class Flights : public Operation {
 public:
  int32_t start(uint32_t batch, uint64_t now_ns) final {
    const auto ring = static_cast<uint32_t>(flights_.size() - 1);
    const bool is_full = to_ - from_ == ring;
    const uint32_t slot = is_full ? ring : to_ % ring;
    Flight &f = flights_[slot];
    f.batch = lane_.layout().at(lane_.block(), batch);
    f.cancelled = false;
    f.parts_out = 0;
    self().stage(f);
    if (is_full) self().refuse(f);
    if (is_full || (f.count == 0 && from_ == to_)) {
      self().complete(f);
      return done_at_once;
    }
    to_++;
    if (f.count == 0) return static_cast<int32_t>(slot);
    divide(f);
    // Before the first is submitted: one that comes back at once must not seem to be the last.
    for (const Part &part : f.parts) f.parts_out += part.count > 0;
    for (uint32_t g = 0; g < f.parts.size(); g++)
      if (f.parts[g].count > 0) routes_.submit(g, f.parts[g], now_ns);
    return static_cast<int32_t>(slot);
  }

  void cancel(uint32_t flight) final {
    if (flight < flights_.size()) flights_[flight].cancelled = true;
  }

  bool finish() final {
    while (from_ != to_) {
      Flight &f = flights_[from_ % (flights_.size() - 1)];
      if (f.parts_out > 0) return false;
      from_++;
      if (f.cancelled) continue;
      self().complete(f);
      return true;
    }
    return false;
  }

 protected:
  Flights(Lane &lane, Routes &routes) : lane_(lane), routes_(routes) {}

  // Once the owner is whole.
  void prepare(const KeySpace &keys, uint32_t replicas) {
    flights_.resize(2 * lane_.batches() + 1);
    for (Flight &f : flights_) {
      f.parts.resize(routes_.groups());
      for (Part &part : f.parts) {
        part.owner = &self();
        part.flight = &f;
        part.keys = &keys;
        part.replicas = replicas;
      }
    }
  }

  Lane &lane_;
  Routes &routes_;

 private:
  Owner &self() { return static_cast<Owner &>(*this); }

  // A counting sort by group.
  void divide(Flight &f) {
    for (Part &part : f.parts) part.count = 0;
    for (uint32_t k = 0; k < f.count; k++) f.parts[routes_.group(f.partition[k])].count++;
    uint32_t from = 0;
    for (Part &part : f.parts) part.from = from, from += part.count, part.count = 0;
    for (uint32_t k = 0; k < f.count; k++) {
      Part &part = f.parts[routes_.group(f.partition[k])];
      f.order[part.from + part.count++] = static_cast<uint16_t>(k);
    }
  }

  std::vector<Flight> flights_;
  uint32_t from_ = 0, to_ = 0;
};

}  // namespace rxnf::remote

// One reliable connection's queue pair, its completion queue and its registered memory.
#pragma once
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include <memory>
#include <string>

#include "store/remote/rdma.h"
#include "store/remote/rdma_stream.h"

namespace rxnf::rdma {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T *resource) const {
    release(resource);
  }
};
template <typename T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

// Anonymous memory of whole pages that a child process does not get: registered pages must not be
// copied by a fork.
class Pages {
 public:
  explicit Pages(size_t bytes);
  ~Pages();
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;

  uint8_t *data() const { return data_; }  // null when there was no memory
  size_t size() const { return size_; }

 private:
  uint8_t *data_ = nullptr;
  size_t size_;
};

class QueuePair final : public Verbs {
 public:
  // Null with `error` set when the device refuses something. `id` has its route and outlives this.
  static std::unique_ptr<QueuePair> open(rdma_cm_id *id, const Options &options,
                                         std::string &error);
  ~QueuePair() override;

  const Memory &memory() const { return memory_; }

  // Takes up to `most` completions to the stream. False when the connection is broken: `error` says
  // how, and stays empty where the peer's leaving does (flushed work).
  bool poll(Stream &stream, uint32_t most, std::string &error);

  int post_receive(uint32_t slot) override;
  int post_command(uint32_t offset) override;
  int post_write(uint32_t offset, uint32_t length, uint64_t address, uint32_t key) override;

 private:
  QueuePair(rdma_cm_id *id, const Options &options);
  bool create(std::string &error);
  bool register_memory(std::string &error);

  rdma_cm_id *id_;
  Pages local_, incoming_;
  Memory memory_;
  // Released in the opposite order, after the queue pair itself.
  Owned<ibv_pd, ibv_dealloc_pd> domain_;
  Owned<ibv_cq, ibv_destroy_cq> completions_;
  Owned<ibv_mr, ibv_dereg_mr> local_region_, incoming_region_;
};

}  // namespace rxnf::rdma

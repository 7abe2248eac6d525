// A Transport over one RDMA connection: address, route, queue pair, handshake, stream, and its end.
//
//   resolving address -> resolving route -> connecting -> handshake (stream not open) -> open
//
// Polled: completions at every poll, the connection manager's events every millisecond once the
// connection stands, as asking for them is a system call.
#pragma once
#include <rdma/rdma_cma.h>

#include <memory>
#include <optional>
#include <string>

#include "store/remote/rdma.h"
#include "store/remote/rdma/queue_pair.h"
#include "store/remote/rdma_stream.h"
#include "store/remote/transport.h"

namespace rxnf::rdma {

class Connection final : public Transport {
 public:
  explicit Connection(const Options &options);
  ~Connection() override;

  State poll(uint64_t now_ns) override;
  size_t send(std::span<const uint8_t> bytes) override {
    return stream_ ? stream_->send(bytes) : 0;
  }
  size_t receive(std::span<uint8_t> into) override { return stream_ ? stream_->receive(into) : 0; }
  const std::string &error() const override { return error_; }

 private:
  void begin();
  void poll_events(uint64_t now_ns);
  void poll_completions(uint64_t now_ns);
  bool take_event(uint64_t now_ns);
  void handle(rdma_cm_event_type event, int status, uint64_t now_ns);
  void make_queue_pair();
  void fail(const std::string &why);
  void release();

  const Options options_;
  std::string name_, error_;
  const char *doing_ = "resolving the address: is it there, and the way to it an RDMA device's?";
  uint64_t deadline_ns_ = 0, next_events_ns_ = 0;

  Owned<rdma_event_channel, rdma_destroy_event_channel> channel_;
  Owned<rdma_cm_id, rdma_destroy_id> id_;
  std::unique_ptr<QueuePair> pair_;
  std::optional<Stream> stream_;
  bool established_ = false;
};

}  // namespace rxnf::rdma

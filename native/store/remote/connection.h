// One connection to one server: requests go in, each comes back settled, in order.
//
//   down -> connecting -> greeting -> ready -+
//     ^                                      |   lost: closed by the peer, no reply in time,
//     nonsense
//     +--------------------------------------+
//
// Lost requests are sent again on the next connection, until they are due, and after the server has
// cut the one before: what it had not executed by then it never will. The first attempt after
// a loss is made at once, further ones after 20 ms, doubling to 1 s. While attempts fail the
// breaker is open: requests come back `unsent` at once, so that no packet waits for a store that is
// away.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/remote/bytes.h"
#include "store/remote/endpoint.h"
#include "store/remote/greeting.h"
#include "store/remote/request.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

struct ConnectionOptions {
  Endpoint endpoint;
  Login login;
  uint64_t connect_timeout_ns = 1'000'000'000;
  uint64_t request_timeout_ns = 1'000'000'000;
  uint64_t quiet_ns = 1'000'000'000;  // of silence, after which the server is asked for the time
  // Requests at the server at once; others wait here, encoded. When the reply to the last of them
  // begins they leave before it is read, so that the server does not wait for us.
  size_t in_flight = SIZE_MAX;
};

struct ConnectionCounters {
  uint64_t requests, replies, sent_bytes, received_bytes, connects, losses, timeouts, refusals;

  ConnectionCounters &operator+=(const ConnectionCounters &o) {
    requests += o.requests, replies += o.replies;
    sent_bytes += o.sent_bytes, received_bytes += o.received_bytes;
    connects += o.connects, losses += o.losses;
    timeouts += o.timeouts, refusals += o.refusals;
    return *this;
  }
};

// Where requests go that a server does not serve, and says so: on a cluster.
class Referrals {
 public:
  virtual ~Referrals() = default;
  // True: the request is elsewhere now. It has not been performed since it was encoded.
  virtual bool take(Request &request, const std::string &error, uint64_t now_ns) = 0;
};

class Connection {
 public:
  enum class State : uint8_t { down, connecting, greeting, ready };

  explicit Connection(const ConnectionOptions &options, Referrals *referrals = nullptr);
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  // Queues a request. It may come back within the call.
  void submit(Request &request, uint64_t now_ns);
  // Likewise a request from another connection: due when it was. One that is due before others in
  // the queue comes back when the first of them is.
  void forward(Request &request, uint64_t now_ns);
  // Sends, receives, settles, reconnects: whatever is due.
  void poll(uint64_t now_ns);
  // Another server from now on: the one before is left at once.
  void redirect(const std::string &host, uint16_t port, uint64_t now_ns);
  // Settles everything; nothing is sent after.
  void close();

  State state() const { return state_; }
  // Requests come back at once.
  bool is_away() const { return attempts_failed_ > 0 && state_ != State::ready; }
  size_t waiting() const { return queue_to_ - queue_from_; }
  int descriptor() const { return transport_ ? transport_->descriptor() : -1; }
  // It has something to send that its transport did not take yet.
  bool is_sending() const { return out_.size() > held_; }
  // Why it was lost last.
  const std::string &problem() const { return problem_; }
  const ConnectionCounters &counters() const { return counters_; }
  // The server's clock, at most a round trip behind it; 0 while it is not known.
  uint64_t server_ms(uint64_t now_ns) const {
    return clock_ms_ == 0 ? 0 : clock_ms_ + (now_ns - clock_at_ns_) / 1'000'000;
  }

 private:
  class Heartbeat;

  // Requests out at once: a lookup or a write of each batch (64) in each of 64 partitions at the
  // most, and as many again for what is not of the data path.
  static constexpr size_t capacity = 8192;
  static constexpr size_t ahead = 256 << 10;  // bytes encoded and not yet taken by the transport
  static constexpr size_t slice = 64 << 10;   // bytes received at once
  static constexpr uint32_t slices = 16;      // in one poll
  static constexpr uint64_t first_backoff_ns = 20'000'000, longest_backoff_ns = 1'000'000'000;

  // A connection that was lost sooner is not made again at once.
  static constexpr uint64_t steady_ns = 100'000'000;

  Request *&at(size_t i) { return queue_[i & (capacity - 1)]; }
  void dial(uint64_t now_ns);
  void encode();
  void release();
  void flush();
  void receive(uint64_t now_ns);
  bool parse(uint64_t now_ns);
  bool refer(const std::string &why, uint64_t now_ns);
  bool take_push(const uint8_t *&at, const uint8_t *end);
  void expire(uint64_t now_ns);
  void lost(const std::string &why, uint64_t now_ns);
  void pop(Fate fate);
  void ready(uint64_t now_ns);

  ConnectionOptions options_;
  Referrals *const referrals_;
  std::unique_ptr<Transport> transport_;
  resp::Reader reader_;
  Greeting greeting_;
  std::unique_ptr<Heartbeat> heartbeat_;
  Bytes in_, out_;
  std::vector<Request *> queue_;
  // [from, sent): may be at the server; [sent, encoded): held, the last `held_` bytes of `out_`.
  size_t queue_from_ = 0, queue_sent_ = 0, queue_encoded_ = 0, queue_to_ = 0;
  size_t held_ = 0;
  State state_ = State::down;
  int64_t id_ = 0;  // the server's number of the last connection that was ready
  bool in_push_ = false, closed_ = false;
  bool in_reply_ = false;  // to the first in the queue: the server is done with that
  uint32_t attempts_failed_ = 0;
  uint64_t retry_at_ns_ = 0, ready_at_ns_ = 0, dialled_at_ns_ = 0, heard_at_ns_ = 0;
  uint64_t clock_ms_ = 0, clock_at_ns_ = 0;
  std::string problem_;
  ConnectionCounters counters_{};
};

}  // namespace rxnf::remote

#include "store/remote/rdma/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace rxnf::rdma {
namespace {

constexpr uint32_t completions_at_once = 256;       // a poll's bound
constexpr uint32_t events_at_once = 8;              // a connection has fewer in its whole life
constexpr uint64_t events_interval_ns = 1'000'000;  // once the connection stands
constexpr int nothing_listens = 8;                  // IB_CM_REJ_INVALID_SERVICE_ID, IBTA 12.6.7.2

// Both families: the connection manager takes either.
bool parse_address(const Options &options, sockaddr_storage &into) {
  auto *four = reinterpret_cast<sockaddr_in *>(&into);
  auto *six = reinterpret_cast<sockaddr_in6 *>(&into);
  if (inet_pton(AF_INET, options.address.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(options.port);
    return true;
  }
  if (inet_pton(AF_INET6, options.address.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(options.port);
    return true;
  }
  return false;
}

std::string system_word(int status) { return std::strerror(status < 0 ? -status : status); }

int milliseconds(uint64_t ns) { return static_cast<int>(ns / 1'000'000); }

}  // namespace

Connection::Connection(const Options &options)
    : options_(options),
      name_("rdma " + options.address + " port " + std::to_string(options.port)) {
  begin();
}

Connection::~Connection() { release(); }

void Connection::begin() {
  sockaddr_storage address{};
  if (!parse_address(options_, address)) return fail("not an IP address");
  channel_.reset(rdma_create_event_channel());
  if (!channel_)
    return fail("rdma_create_event_channel: " + system_word(errno) +
                ": no RDMA device, no module rdma_ucm, or no right to /dev/infiniband/rdma_cm; to "
                "mend it: rxnf doctor says which");
  const int flags = fcntl(channel_->fd, F_GETFL);
  if (flags < 0 || fcntl(channel_->fd, F_SETFL, flags | O_NONBLOCK) < 0)
    return fail("fcntl(O_NONBLOCK): " + system_word(errno));
  rdma_cm_id *id = nullptr;
  if (rdma_create_id(channel_.get(), &id, nullptr, RDMA_PS_TCP))
    return fail("rdma_create_id: " + system_word(errno));
  id_.reset(id);
  if (rdma_resolve_addr(id, nullptr, reinterpret_cast<sockaddr *>(&address),
                        milliseconds(options_.connect_timeout_ns)))
    handle(RDMA_CM_EVENT_ADDR_ERROR, errno, 0);
}

Transport::State Connection::poll(uint64_t now_ns) {
  if (error_.empty() && (!established_ || now_ns >= next_events_ns_)) poll_events(now_ns);
  if (error_.empty() && established_) poll_completions(now_ns);
  if (!error_.empty()) return State::failed;
  if (stream_ && stream_->open()) return State::open;
  if (deadline_ns_ == 0) deadline_ns_ = now_ns + options_.connect_timeout_ns;
  if (now_ns < deadline_ns_) return State::connecting;
  fail(std::string("timed out while ") + doing_);
  return State::failed;
}

void Connection::poll_events(uint64_t now_ns) {
  next_events_ns_ = now_ns + events_interval_ns;
  for (uint32_t i = 0; i < events_at_once && error_.empty(); i++)
    if (!take_event(now_ns)) return;
}

// The event is acknowledged before it is acted upon: the id cannot be destroyed before.
bool Connection::take_event(uint64_t now_ns) {
  rdma_cm_event *event = nullptr;
  if (rdma_get_cm_event(channel_.get(), &event)) {
    if (errno != EAGAIN && errno != EINTR) fail("rdma_get_cm_event: " + system_word(errno));
    return false;
  }
  const auto [kind, status] = std::pair(event->event, event->status);
  rdma_ack_cm_event(event);
  handle(kind, status, now_ns);
  return true;
}

void Connection::handle(rdma_cm_event_type event, int status, uint64_t now_ns) {
  switch (event) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
      doing_ = "resolving the route";
      if (rdma_resolve_route(id_.get(), milliseconds(options_.connect_timeout_ns)))
        handle(RDMA_CM_EVENT_ADDR_ERROR, errno, now_ns);  // it was resolved to no device
      return;
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
      return make_queue_pair();
    case RDMA_CM_EVENT_ESTABLISHED:
      doing_ = "waiting for the peer to register its buffer: is it a Valkey server's RDMA port?";
      established_ = true;
      return stream_->established(now_ns);
    case RDMA_CM_EVENT_ADDR_ERROR:
      return fail("no RDMA device reaches this address: " + system_word(status) +
                  "; to mend it: give the address of an interface that rdma link show names, or "
                  "route to it through one; rxnf doctor shows them");
    case RDMA_CM_EVENT_ROUTE_ERROR:
      return fail("no route: " + system_word(status));
    case RDMA_CM_EVENT_UNREACHABLE:
      return fail("unreachable: " + system_word(status));
    case RDMA_CM_EVENT_CONNECT_ERROR:
      return fail("cannot connect: " + system_word(status));
    case RDMA_CM_EVENT_REJECTED:
      return fail(status == nothing_listens
                      ? "nothing listens there; to mend it: valkey-server --rdma-bind ADDRESS "
                        "--rdma-port PORT"
                      : "the server rejected the connection, reason " + std::to_string(status) +
                            ": its log says why");
    case RDMA_CM_EVENT_DISCONNECTED:
    case RDMA_CM_EVENT_TIMEWAIT_EXIT:
      return fail("closed by the server");
    case RDMA_CM_EVENT_DEVICE_REMOVAL:
      return fail(
          "the RDMA device was removed; a new connection works when it is back: rdma link "
          "show");
    case RDMA_CM_EVENT_ADDR_CHANGE:
      return fail("the address moved to another RDMA device");
    default:
      return;
  }
}

// responder_resources and initiator_depth are of reads and atomics, which this protocol has not.
// rnr_retry_count is what the server's device grants us: 7 is without end, so a lane that pauses
// does not break the connection.
void Connection::make_queue_pair() {
  doing_ = "connecting";
  std::string error;
  pair_ = QueuePair::open(id_.get(), options_, error);
  if (!pair_) return fail(error);
  stream_.emplace(*pair_, pair_->memory());
  stream_->prepare();
  if (stream_->failed()) return fail(stream_->error());
  rdma_conn_param parameters{};
  parameters.responder_resources = 1;
  parameters.initiator_depth = 1;
  parameters.retry_count = 7;
  parameters.rnr_retry_count = 7;
  if (rdma_connect(id_.get(), &parameters)) fail("rdma_connect: " + system_word(errno));
}

void Connection::poll_completions(uint64_t now_ns) {
  std::string error;
  if (!pair_->poll(*stream_, completions_at_once, error)) {
    poll_events(now_ns);  // the connection manager may know why
    return fail(error.empty() ? "the connection is broken" : error);
  }
  stream_->flush(now_ns);
  if (stream_->failed()) fail(stream_->error());
}

// Nothing is kept of what has failed: a device that is being removed waits for its users.
void Connection::fail(const std::string &why) {
  if (!error_.empty()) return;
  error_ = name_ + ": " + why;
  release();
}

// Disconnect, then the queue pair with its memory, then the id, then its channel.
void Connection::release() {
  if (established_) rdma_disconnect(id_.get());
  established_ = false;
  stream_.reset();
  pair_.reset();
  id_.reset();
  channel_.reset();
}

}  // namespace rxnf::rdma

#include "store/remote/socket.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace rxnf::remote {
namespace {

// Collects what the resolver found; its status.
template <typename Out>
int look_up(const std::string &host, uint16_t port, int flags, Out &out) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  const int status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) return status;
  constexpr size_t most = 8;  // addresses of one name that are tried
  for (const addrinfo *a = found; a && out.size() < most; a = a->ai_next) {
    typename Out::value_type address{};
    std::memcpy(&address.bytes, a->ai_addr, a->ai_addrlen);
    address.size = a->ai_addrlen;
    out.push_back(address);
  }
  freeaddrinfo(found);
  return 0;
}

}  // namespace

Socket::Socket(const Endpoint &endpoint) : name_(endpoint.name()) {
  if (endpoint.scheme == Scheme::unix_socket)
    connect_unix(endpoint.path);
  else if (!resolve(endpoint.host, endpoint.port, AI_NUMERICHOST))
    resolve(endpoint.host, endpoint.port, 0);
}

// At once for an address; a name's comes with a later poll. False when it is not an address.
bool Socket::resolve(const std::string &host, uint16_t port, int flags) {
  if (flags == AI_NUMERICHOST) {
    if (look_up(host, port, flags, addresses_) != 0) return false;
    connect_next("connect", 0);
    return true;
  }
  resolution_ = std::make_shared<Resolution>();
  // One thread for each attempt at a name; attempts are spaced by the connection's backoff.
  std::thread([r = resolution_, host, port] {
    r->status = look_up(host, port, 0, r->addresses);
    r->done.store(true, std::memory_order_release);
  }).detach();
  return true;
}

void Socket::connect_unix(const std::string &path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return fail("connect", "the path is too long");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  begin(AF_UNIX, reinterpret_cast<const sockaddr *>(&address), sizeof address);
}

// Tries the next address; fails for the reason given when there is none left.
void Socket::connect_next(const char *call, int error) {
  if (addresses_.empty()) return fail(call, std::strerror(error));
  const Address address = addresses_.front();
  addresses_.erase(addresses_.begin());
  begin(address.bytes.ss_family, reinterpret_cast<const sockaddr *>(&address.bytes), address.size);
}

void Socket::begin(int family, const sockaddr *address, socklen_t size) {
  shut();
  fd_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail("socket", std::strerror(errno));
  const int on = 1;
  if (family != AF_UNIX) setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd_, address, size) == 0)
    state_ = State::open;
  else if (errno != EINPROGRESS)
    connect_next("connect", errno);
}

void Socket::finish() {
  pollfd p{fd_, POLLOUT, 0};
  if (::poll(&p, 1, 0) <= 0) return;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0)
    state_ = State::open;
  else
    connect_next("connect", error);
}

Transport::State Socket::poll(uint64_t) {
  if (state_ != State::connecting) return state_;
  if (resolution_) {
    if (!resolution_->done.load(std::memory_order_acquire)) return state_;
    const std::shared_ptr<Resolution> r = std::move(resolution_);
    if (r->status != 0) {
      fail("resolve", gai_strerror(r->status));
      return state_;
    }
    addresses_ = r->addresses;
    connect_next("connect", EADDRNOTAVAIL);
  } else {
    finish();
  }
  return state_;
}

size_t Socket::send(std::span<const uint8_t> bytes) {
  if (state_ != State::open || bytes.empty()) return 0;
  const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<size_t>(n);
  if (errno != EAGAIN && errno != EINTR) fail("send", std::strerror(errno));
  return 0;
}

size_t Socket::receive(std::span<uint8_t> into) {
  if (state_ != State::open || into.empty()) return 0;
  const ssize_t n = recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
  if (n > 0) return static_cast<size_t>(n);
  if (n == 0)
    fail("receive", "the server closed the connection");
  else if (errno != EAGAIN && errno != EINTR)
    fail("receive", std::strerror(errno));
  return 0;
}

void Socket::fail(const std::string &call, const std::string &why) {
  if (state_ != State::failed) error_ = name_ + ": " + call + ": " + why;
  state_ = State::failed;
  shut();
}

void Socket::shut() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace rxnf::remote

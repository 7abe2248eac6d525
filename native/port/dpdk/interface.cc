#include "port/dpdk/interface.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace rxnf::dpdk {
namespace {

// Any datagram socket carries the ioctl; it is opened where it is used, as each call may come from
// a thread in another network namespace.
class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

InterfaceState interface_state(uint32_t if_index) {
  ifreq request{};
  if (if_indextoname(if_index, request.ifr_name) == nullptr)
    return errno == ENXIO ? InterfaceState::gone : InterfaceState::down;
  const Socket socket;
  if (ioctl(socket.fd(), SIOCGIFFLAGS, &request) != 0)
    return errno == ENODEV ? InterfaceState::gone : InterfaceState::down;
  const bool up = (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
  return up ? InterfaceState::up : InterfaceState::down;
}

}  // namespace rxnf::dpdk

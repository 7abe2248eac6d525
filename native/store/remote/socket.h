// A unix or TCP socket that never blocks. A host name is looked up on a thread of its own, since
// the resolver does block; an address is not.
#pragma once
#include <netdb.h>

#include <atomic>
#include <memory>
#include <vector>

#include "store/remote/endpoint.h"

namespace rxnf::remote {

class Socket : public Transport {
 public:
  explicit Socket(const Endpoint &endpoint);
  ~Socket() override { shut(); }
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;

  State poll(uint64_t now_ns) override;
  size_t send(std::span<const uint8_t> bytes) override;
  size_t receive(std::span<uint8_t> into) override;
  const std::string &error() const override { return error_; }
  int descriptor() const override { return fd_; }

 protected:
  State state() const { return state_; }
  void fail(const std::string &call, const std::string &why);

 private:
  struct Address {
    sockaddr_storage bytes;
    socklen_t size;
  };
  struct Resolution {
    std::atomic<bool> done{false};
    int status = 0;
    std::vector<Address> addresses;
  };

  void connect_unix(const std::string &path);
  bool resolve(const std::string &host, uint16_t port, int flags);
  void connect_next(const char *call, int error);
  void begin(int family, const sockaddr *address, socklen_t size);
  void finish();
  void shut();

  std::string name_, error_;
  std::shared_ptr<Resolution> resolution_;
  std::vector<Address> addresses_;  // still to be tried
  int fd_ = -1;
  State state_ = State::connecting;
};

}  // namespace rxnf::remote

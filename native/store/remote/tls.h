// TLS over a TCP socket, by OpenSSL. Inside Node its functions are the ones that Node carries and
// exports, so that one process has one OpenSSL.
#pragma once
#include <openssl/ssl.h>

#include <memory>

#include "store/remote/socket.h"

namespace rxnf::remote {

class TlsSocket : public Socket {
 public:
  explicit TlsSocket(const Endpoint &endpoint);

  State poll(uint64_t now_ns) override;
  size_t send(std::span<const uint8_t> bytes) override;
  size_t receive(std::span<uint8_t> into) override;

 private:
  struct Free {
    void operator()(SSL_CTX *p) const { SSL_CTX_free(p); }
    void operator()(SSL *p) const { SSL_free(p); }
  };

  void prepare(const Endpoint &endpoint);
  void handshake();
  void wrong(const char *call, int result);

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> session_;
  bool verify_ = false, attached_ = false, shaken_ = false;
};

}  // namespace rxnf::remote

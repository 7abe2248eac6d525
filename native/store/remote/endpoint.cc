#include "store/remote/endpoint.h"

#include "store/remote/rdma.h"
#include "store/remote/socket.h"
#include "store/remote/tls.h"

namespace rxnf::remote {
std::string Endpoint::name() const {
  const std::string where =
      (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
  switch (scheme) {
    case Scheme::unix_socket:
      return "unix:" + path;
    case Scheme::tcp:
      return "redis://" + where;
    case Scheme::tls:
      return "rediss://" + where;
    default:
      return "rdma://" + where;
  }
}

std::unique_ptr<Transport> dial(const Endpoint &endpoint) {
  switch (endpoint.scheme) {
    case Scheme::unix_socket:
    case Scheme::tcp:
      return std::make_unique<Socket>(endpoint);
    case Scheme::tls:
      return std::make_unique<TlsSocket>(endpoint);
    default:
      return rdma::connect({.address = endpoint.host, .port = endpoint.port});
  }
}

}  // namespace rxnf::remote

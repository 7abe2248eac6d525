// Where a store is, and how its byte stream is made.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "store/remote/transport.h"

namespace rxnf::remote {

enum class Scheme : uint8_t { unix_socket, tcp, tls, rdma };

struct Endpoint {
  Scheme scheme = Scheme::unix_socket;
  std::string path;  // of a unix socket
  std::string host;  // name or address
  uint16_t port = 6379;

  // TLS: certificates that may have signed the server's, in PEM. Empty: the peer is not verified.
  std::string authorities;
  // The name that the server's certificate must carry, and that is asked for (SNI). Empty: host.
  std::string server_name;
  // Of a client that the server wants to see signed, in PEM; both or none.
  std::string certificate, private_key;

  std::string name() const;  // as in a URL, for reports
};

// Begins to connect. Never null: what fails at once fails in the transport.
std::unique_ptr<Transport> dial(const Endpoint &endpoint);

}  // namespace rxnf::remote

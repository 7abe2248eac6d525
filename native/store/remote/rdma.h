// Connects to a store over RDMA. The device's part lies in librxnf_rdma.so, which needs libibverbs
// and librdmacm and is loaded with the first connection, so that everything else works without.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "store/remote/transport.h"

namespace rxnf::rdma {

struct Options {
  std::string address;  // numeric, IPv4 or IPv6: names are resolved by whoever calls
  uint16_t port = 6379;
  uint32_t incoming_bytes = 1 << 20;  // registered for the peer to write into
  uint32_t outgoing_bytes = 1 << 20;  // registered, for what is on its way to the peer
  uint64_t connect_timeout_ns = 2'000'000'000;
};

// Never null: what cannot even begin is a transport that has failed. `library` is the path of
// librxnf_rdma.so; without it, it is looked for beside the file that this code is in: the addon's.
std::unique_ptr<Transport> connect(const std::string &library, const Options &options);
std::unique_ptr<Transport> connect(const Options &options);

// What librxnf_rdma.so exports, built by the same compiler as its user.
constexpr int library_abi = 1;
struct Library {
  int abi;
  std::unique_ptr<Transport> (*connect)(const Options &options);
};
constexpr const char *library_symbol = "rxnf_rdma_library_get";

}  // namespace rxnf::rdma

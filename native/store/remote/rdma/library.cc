// librxnf_rdma.so: what rdma.cc finds with dlsym.
#include "store/remote/rdma.h"
#include "store/remote/rdma/connection.h"

namespace rxnf::rdma {
namespace {

std::unique_ptr<Transport> open(const Options &options) {
  return std::make_unique<Connection>(options);
}

constexpr Library library = {.abi = library_abi, .connect = open};

}  // namespace
}  // namespace rxnf::rdma

extern "C" __attribute__((visibility("default"))) const rxnf::rdma::Library *
rxnf_rdma_library_get() {
  return &rxnf::rdma::library;
}

#include "store/remote/rdma.h"

#include <dlfcn.h>

namespace rxnf::rdma {
namespace {

// A transport that never was.
class Refused final : public Transport {
 public:
  explicit Refused(std::string error) : error_(std::move(error)) {}
  State poll(uint64_t) override { return State::failed; }
  size_t send(std::span<const uint8_t>) override { return 0; }
  size_t receive(std::span<uint8_t>) override { return 0; }
  const std::string &error() const override { return error_; }

 private:
  std::string error_;
};

// The handle is kept for the life of the process: transports run code of the library.
const Library *load(const std::string &path, std::string &error) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    error = std::string("cannot load the RDMA library: ") + dlerror() +
            "; to mend it: apt-get install libibverbs-dev librdmacm-dev ibverbs-providers, then "
            "npm run build:native";
    return nullptr;
  }
  const auto get = reinterpret_cast<const Library *(*)()>(dlsym(handle, library_symbol));
  if (!get || get()->abi != library_abi) {
    error = path + " was built for another version of rxnf; to mend it: npm run build:native";
    return nullptr;
  }
  return get();
}

std::string beside_this() {
  Dl_info here{};
  dladdr(reinterpret_cast<void *>(&load), &here);
  const std::string file = here.dli_fname ? here.dli_fname : "";
  return file.substr(0, file.rfind('/') + 1) + "librxnf_rdma.so";
}

}  // namespace

std::unique_ptr<Transport> connect(const std::string &library, const Options &options) {
  std::string error;
  if (const Library *loaded = load(library, error)) return loaded->connect(options);
  return std::make_unique<Refused>(std::move(error));
}

std::unique_ptr<Transport> connect(const Options &options) {
  return connect(beside_this(), options);
}

}  // namespace rxnf::rdma

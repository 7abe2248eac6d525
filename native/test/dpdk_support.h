// What the DPDK tests share: the library as the addon loads it, a port with one queue, and a child
// process for each case (EAL starts once per process).
#pragma once
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "port/dpdk.h"

namespace rxnf::test {

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      std::_Exit(1);                                                                \
    }                                                                               \
  } while (0)

inline rxnf_error last_error{};

// Fails the case with the library's own sentence.
#define SUCCEEDS(call)                                                                        \
  do {                                                                                        \
    if ((call) != 0) {                                                                        \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, last_error.message); \
      std::_Exit(1);                                                                          \
    }                                                                                         \
  } while (0)

inline const rxnf_dpdk_library &library() {
  static const rxnf_dpdk_library *loaded = [] {
    const char *path = std::getenv("RXNF_DPDK_LIBRARY");
    void *handle = dlopen(path != nullptr ? path : "librxnf_dpdk.so", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      std::fprintf(stderr, "%s (set RXNF_DPDK_LIBRARY to its path)\n", dlerror());
      std::exit(2);
    }
    auto get =
        reinterpret_cast<decltype(&rxnf_dpdk_library_get)>(dlsym(handle, "rxnf_dpdk_library_get"));
    return get();
  }();
  return *loaded;
}

inline bool hugepages_free(unsigned wanted) {
  FILE *file = std::fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
  unsigned n = 0;
  if (file == nullptr) return false;
  const bool known = std::fscanf(file, "%u", &n) == 1;
  std::fclose(file);
  return known && n >= wanted;
}

// Memory: hugepages where 64 MiB of them are free, ordinary pages elsewhere.
inline std::vector<std::string> eal_arguments(const std::vector<std::string> &vdevs, bool huge) {
  std::vector<std::string> argv{"rxnf",     "--lcores",       "0@(0)",
                                "--no-pci", "--no-telemetry", "--log-level=error"};
  if (huge)
    argv.push_back("--in-memory");
  else
    for (const char *a : {"--no-huge", "-m", "256", "--legacy-mem", "--no-shconf"})
      argv.push_back(a);
  for (const auto &v : vdevs) argv.push_back("--vdev=" + v);
  return argv;
}

inline rxnf_pool start(const std::vector<std::string> &vdevs, uint32_t buffers,
                       bool huge = hugepages_free(32)) {
  const auto arguments = eal_arguments(vdevs, huge);
  std::vector<const char *> argv;
  for (const auto &a : arguments) argv.push_back(a.c_str());
  SUCCEEDS(library().start(static_cast<int>(argv.size()), argv.data(), &last_error));
  rxnf_pool pool{};
  SUCCEEDS(library().open_pool(buffers, 2176, &pool, &last_error));
  return pool;
}

struct OpenPort {
  rxnf_dpdk_port_info info{};
  rxnf_queue queue{};

  explicit OpenPort(const char *device, uint64_t frames = 0) {
    const rxnf_dpdk_port_config config{device, 1, 512, 512, 0, 0, 1, frames};
    SUCCEEDS(library().open_port(&config, &info, &last_error));
    uint32_t filtered = 0;
    SUCCEEDS(library().start_port(info.ethdev, &filtered, &last_error));
    SUCCEEDS(library().open_queue(info.ethdev, 0, &queue, &last_error));
  }
  rxnf_port_counters counters() const {
    rxnf_port_counters c{};
    queue.counters(queue.ctx, &c);
    return c;
  }
  int close() { return library().close_port(info.ethdev, &last_error); }
};

struct Burst {
  uint32_t handle[512], data[512], length[512];
  uint32_t count = 0;

  uint32_t receive(const OpenPort &port, uint32_t max) {
    return count = port.queue.receive(port.queue.ctx, handle, data, length, max);
  }
  // Sends what the port takes and frees the rest: how many it took.
  uint32_t send(const OpenPort &port, const rxnf_pool &pool, bool moved = true) {
    const uint32_t sent =
        port.queue.transmit(port.queue.ctx, handle, moved ? data : nullptr, length, count);
    if (sent < count) pool.free(pool.ctx, handle + sent, count - sent);
    count = 0;
    return sent;
  }
};

}  // namespace rxnf::test

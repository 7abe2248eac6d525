// A memif port outlives peers that are killed while both sides are busy, at whatever instruction:
// without the wait before its driver unmaps, a server dies now and then.
#include <csignal>

#include "test/dpdk_support.h"

using namespace rxnf::test;

namespace {

constexpr int kills = 80;
constexpr uint32_t buffers = 4096;

std::string device(const char *name, const char *role) {
  return std::string(name) + ",role=" + role +
         ",id=0,socket-abstract=no,socket=/tmp/rxnf_dpdk_memif_test." + std::to_string(getppid());
}

// Sends and receives for good; says so on `ready` when its link is up first.
[[noreturn]] void be_busy(const char *name, const char *role, int ready) {
  alarm(120);
  const rxnf_pool pool = start({device(name, role)}, buffers);
  OpenPort port(name);
  if (std::strcmp(role, "server") == 0) EXPECT(write(ready, "s", 1) == 1);
  bool was_up = false;
  Burst b;
  for (uint32_t turn = 0;; turn++) {
    if (!was_up && turn % 1024 == 0 && (was_up = port.counters().link_up == 1))
      EXPECT(write(ready, "u", 1) == 1);
    if (b.receive(port, 64) == 0) {
      b.count = pool.alloc(pool.ctx, b.handle, 32);
      for (uint32_t i = 0; i < b.count; i++) {
        b.data[i] = b.handle[i] + pool.data_min + pool.headroom;
        b.length[i] = 64;
      }
    }
    b.send(port, pool);
  }
}

struct Peer {
  pid_t pid;
  int ready;

  Peer(const char *name, const char *role) {
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid = fork();
    if (pid == 0) be_busy(name, role, ends[1]);
    close(ends[1]);
    ready = ends[0];
  }
  // False when it has ended instead.
  bool is_ready() const {
    char said;
    return read(ready, &said, 1) == 1;
  }
  bool is_running() const { return waitpid(pid, nullptr, WNOHANG) == 0; }
  void end() const {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    close(ready);
  }
};

}  // namespace

int main() {
  alarm(120);
  const Peer server("net_memif0", "server");
  EXPECT(server.is_ready());
  for (int i = 0; i < kills; i++) {
    const Peer client("net_memif1", "client");
    EXPECT(client.is_ready());
    usleep(static_cast<useconds_t>(i % 20) * 1000);
    client.end();
    EXPECT(server.is_running());
  }
  server.end();
  unlink(("/tmp/rxnf_dpdk_memif_test." + std::to_string(getpid())).c_str());
}

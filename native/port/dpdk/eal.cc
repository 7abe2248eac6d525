#include "port/dpdk/eal.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_version.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "port/dpdk/error.h"

namespace rxnf::dpdk {
namespace {

enum class Phase { unused, starting, failed, running, stopped };
std::atomic<Phase> phase{Phase::unused};

thread_local bool registered = false;

// EAL pins its caller to an lcore, and every thread that is made later inherits the pin.
class KeepAffinity {
 public:
  KeepAffinity() : known_(pthread_getaffinity_np(pthread_self(), sizeof(cpus_), &cpus_) == 0) {}
  ~KeepAffinity() {
    if (known_) pthread_setaffinity_np(pthread_self(), sizeof(cpus_), &cpus_);
  }
  KeepAffinity(const KeepAffinity &) = delete;
  KeepAffinity &operator=(const KeepAffinity &) = delete;

 private:
  cpu_set_t cpus_;
  bool known_;
};

const char *meaning(int code) {
  switch (code) {
    case EACCES:
      return "permission denied (hugepages or /dev/vfio)";
    case ENOMEM:
      return "not enough memory or hugepages";
    case ENODEV:
      return "a device could not be probed";
    case EINVAL:
      return "an argument was not understood";
    case EALREADY:
      return "EAL was started before in this process";
    default:
      return rte_strerror(code);
  }
}

}  // namespace

const char *version() { return rte_version(); }

int start(int argc, const char *const *argv, rxnf_error *error) {
  Phase expected = Phase::unused;
  if (!phase.compare_exchange_strong(expected, Phase::starting))
    return fail(error, EALREADY, "EAL starts once per process, and it has been tried already");

  // EAL permutes argv and keeps pointers into its strings: both live as long as the process.
  auto &strings = *new std::vector<std::string>(argv, argv + argc);
  auto &pointers = *new std::vector<char *>;
  for (std::string &s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);

  const KeepAffinity keep;
  if (rte_eal_init(argc, pointers.data()) < 0) {
    const int code = rte_errno != 0 ? rte_errno : EIO;
    phase = Phase::failed;
    return fail(error, code, "EAL did not start: %s; its own messages are on stderr",
                meaning(code));
  }
  phase = Phase::running;
  return 0;
}

bool started() { return phase == Phase::running; }

int register_thread(rxnf_error *error) {
  if (!started())
    return fail(error, ENODEV, "EAL is not running: start it before registering threads");
  if (rte_lcore_id() != LCORE_ID_ANY) return 0;
  if (rte_thread_register() < 0)
    return fail(error, rte_errno, "EAL took no further thread: %s (at most %d lcores)",
                rte_strerror(rte_errno), RTE_MAX_LCORE);
  registered = true;
  return 0;
}

void unregister_thread() {
  if (!registered) return;
  rte_thread_unregister();
  registered = false;
}

void cleanup() {
  Phase expected = Phase::running;
  if (phase.compare_exchange_strong(expected, Phase::stopped)) rte_eal_cleanup();
}

}  // namespace rxnf::dpdk

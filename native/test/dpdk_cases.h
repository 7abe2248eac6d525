// Cases of tests of the DPDK port library, each in a process of its own, as EAL starts once in one.
#pragma once
#include <chrono>
#include <span>
#include <thread>

#include "test/dpdk_support.h"

namespace rxnf::test {

// Bounds a wait for the kernel: 2000 polls of 1 ms.
inline constexpr int patience = 2000;
inline void pause_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

struct Case {
  const char *name;
  void (*body)();
  bool needs_root;
};
#define CASE(f) \
  { #f, f, false }
#define ROOT_CASE(f) \
  { #f, f, true }

inline bool passes(const Case &c) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    c.body();
    library().stop();
    std::_Exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    std::printf("  ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// With an argument: the cases whose name contains it. Returns how many failed.
inline int run_cases(std::span<const Case> cases, int argc, char **argv) {
  int failures = 0;
  for (const Case &c : cases) {
    if (argc > 1 && std::strstr(c.name, argv[1]) == nullptr) continue;
    if (c.needs_root && geteuid() != 0) {
      std::printf("SKIP %s: it needs root, to make interfaces in a network namespace\n", c.name);
      continue;
    }
    const bool ok = passes(c);
    std::printf("%s %s\n", ok ? "ok  " : "FAIL", c.name);
    failures += !ok;
  }
  return failures;
}

}  // namespace rxnf::test

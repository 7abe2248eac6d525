// Writers killed at every instruction. A child writes to a shared store; its parent lets it run one
// instruction at a time up to a point, kills it there, and looks, from another process, at what it
// has left: once repaired the structure must be whole, the operation must have happened entirely or
// not at all, and what was there before must be there still. Then the same for one that is killed
// while it repairs what another left.
//
// Each point is logged: the operation, how many instructions in, and where in the code.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/shared/store.h"
#include "support.h"

using namespace rxnf;
using rxnf::shared::Failure;
using rxnf::shared::SharedStore;

namespace {

struct Record {
  uint64_t value, check;
};

constexpr uint32_t capacity = 96;  // 16 buckets of eight
constexpr uint32_t numbers = 40;
constexpr uint32_t given = 102;

TableConfig config() { return {capacity, sizeof(Record), {0, 1000, 0, 0}, 1, 0}; }

struct View {
  std::shared_ptr<SharedStore> store;
  std::shared_ptr<Table> table;
  std::shared_ptr<NumberPool> pool;
};

View open(const std::string &folder) {
  Failure failure;
  View v;
  v.store = SharedStore::open(folder, "test", failure);
  if (!failure) v.table = v.store->table("t", config(), "{}", failure);
  if (!failure) v.pool = v.store->numbers("n", 100, numbers, failure);
  if (failure) std::fprintf(stderr, "%s: %s\n", failure.code.c_str(), failure.message.c_str());
  EXPECT(!failure);
  return v;
}

Key key(uint64_t n) { return {n, n ^ 0x5555}; }

Outcome insert(View &v, uint64_t n, uint64_t value, uint64_t sequence, uint8_t timer = 0) {
  const Record r{value, ~value};
  Entry *e = nullptr;
  const uint64_t version = uint64_t{v.store->hand().writer()} << 40 | sequence << 1;
  return v.table->insert(v.table->hash(key(n)), key(n), reinterpret_cast<const uint8_t *>(&r),
                         timer, version, 0, &e);
}

// The value of a key, or -1.
int64_t get(const View &v, uint64_t n, uint64_t *version = nullptr) {
  Record r{};
  uint8_t timer = 0;
  Entry *e = v.table->find(v.table->hash(key(n)), key(n));
  const uint64_t at = e ? v.table->read(e, key(n), reinterpret_cast<uint8_t *>(&r), &timer) : 0;
  if (version) *version = at;
  if (at == 0) return -1;
  EXPECT(r.check == ~r.value);
  return static_cast<int64_t>(r.value);
}

// What an operation begins with, and does; `sound` looks at the outcome, given whether it returned.
struct Operation {
  const char *name;
  std::function<void(View &)> prepare;
  std::function<void(View &)> run;
  std::function<bool(View &)> before, after;  // is it as it was, is it as it should become
};

void fill(View &v, uint64_t from, uint64_t to) {
  for (uint64_t n = from; n < to; n++) EXPECT(insert(v, n, n, n + 1) == Outcome::won);
}

constexpr uint64_t target = 1000;
uint32_t claim_of = 0;

const std::vector<Operation> operations = {
    {"insert", [](View &v) { fill(v, 0, 20); }, [](View &v) { insert(v, target, 7, 900); },
     [](View &v) { return get(v, target) == -1 && v.table->size() == 20; },
     [](View &v) { return get(v, target) == 7 && v.table->size() == 21; }},
    {"insert beyond a full bucket", [](View &v) { fill(v, 0, 95); },
     [](View &v) { insert(v, target, 7, 900); },
     [](View &v) { return get(v, target) == -1 && v.table->size() == 95; },
     [](View &v) { return get(v, target) == 7 && v.table->size() == 96; }},
    {"insert after removals",
     [](View &v) {
       fill(v, 0, 30);
       for (uint64_t n = 10; n < 20; n++) v.table->remove(v.table->hash(key(n)), key(n), 0);
     },
     [](View &v) { insert(v, target, 7, 900); }, [](View &v) { return get(v, target) == -1; },
     [](View &v) { return get(v, target) == 7 && v.table->size() == 21; }},
    {"swap",
     [](View &v) {
       fill(v, 0, 20);
       insert(v, target, 1, 800);
     },
     [](View &v) {
       const Record r{2, ~uint64_t{2}};
       uint64_t version = 0;
       get(v, target, &version);
       Entry *e = nullptr;
       v.table->swap(v.table->hash(key(target)), key(target), version,
                     reinterpret_cast<const uint8_t *>(&r), 0,
                     uint64_t{v.store->hand().writer()} << 40 | 901 << 1, 0, &e);
     },
     [](View &v) { return get(v, target) == 1; }, [](View &v) { return get(v, target) == 2; }},
    {"remove",
     [](View &v) {
       fill(v, 0, 90);
       insert(v, target, 1, 800);
     },
     [](View &v) { v.table->remove(v.table->hash(key(target)), key(target), 0); },
     [](View &v) { return get(v, target) == 1 && v.table->size() == 91; },
     [](View &v) { return get(v, target) == -1 && v.table->size() == 90; }},
    {"claim",
     [](View &v) {
       fill(v, 0, 20);
       insert(v, target, 1, 800, 1);
     },
     [](View &v) {
       v.table->sweep(5000, 0, capacity, [](const Key &, const uint8_t *, uint8_t, uint32_t) {});
     },
     [](View &v) { return get(v, target) == 1 && v.table->size() == 21; },
     [](View &v) {
       // Out of the table, and handed out again once the claim has lapsed.
       if (get(v, target) != -1 || v.table->size() != 20) return false;
       uint32_t again = 0;
       v.table->sweep(
           5000 + Table::claim_ms, 0, capacity,
           [&](const Key &k, const uint8_t *, uint8_t, uint32_t) { again += k == key(target); });
       return again == 1;
     }},
    {"confirm",
     [](View &v) {
       fill(v, 0, 20);
       insert(v, target, 1, 800, 1);
       v.table->sweep(5000, 0, capacity,
                      [](const Key &, const uint8_t *, uint8_t, uint32_t c) { claim_of = c; });
     },
     [](View &v) { v.table->confirm(claim_of); },
     [](View &v) {
       uint32_t again = 0;
       v.table->sweep(5000 + Table::claim_ms, 0, capacity,
                      [&](const Key &, const uint8_t *, uint8_t, uint32_t) { again++; });
       return again == 1;
     },
     [](View &v) {
       return v.table->sweep(50'000, 0, capacity,
                             [](const Key &, const uint8_t *, uint8_t, uint32_t) {}) == 0;
     }},
    {"take numbers", [](View &) {},
     [](View &v) {
       uint32_t out[3];
       v.pool->take(out, 3, 1, 1);
     },
     [](View &v) { return v.pool->free() >= numbers - 3; },
     [](View &v) { return v.pool->free() == numbers - 3; }},
    {"give a number",
     [](View &v) {
       uint32_t out[5];
       v.pool->take(out, 5, 1, 1);
     },
     [](View &v) { v.pool->give(&given, 1); },
     [](View &v) { return v.pool->free() == numbers - 5; },
     [](View &v) { return v.pool->free() == numbers - 4; }},
};

void clear(const std::string &folder) {
  for (const char *file : {"/writers", "/table.t", "/pool.n"}) unlink((folder + file).c_str());
  rmdir(folder.c_str());
}

// A child that stops itself (SIGSTOP) before what is looked at. All children are forks of one
// process, and the store's hash seed is set, so that each takes the same way.
class Child {
 public:
  explicit Child(const std::function<void()> &what) : pid_(fork()) {
    if (pid_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      what();
      _exit(0);
    }
    wait();
    EXPECT(WIFSTOPPED(status_));
  }
  ~Child() {
    if (!ended()) {
      kill(pid_, SIGKILL);
      wait();
    }
  }
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;

  bool ended() const { return WIFEXITED(status_) || WIFSIGNALED(status_); }
  void go(__ptrace_request how) {
    ptrace(how, pid_, nullptr, nullptr);
    wait();
  }
  uint64_t at() const {
    struct user_regs_struct r {};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &r);
    return r.rip;
  }
  void move_to(uint64_t where) {
    struct user_regs_struct r {};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &r);
    r.rip = where;
    ptrace(PTRACE_SETREGS, pid_, nullptr, &r);
  }
  long peek(uint64_t where) const { return ptrace(PTRACE_PEEKTEXT, pid_, where, nullptr); }
  void poke(uint64_t where, long word) { ptrace(PTRACE_POKETEXT, pid_, where, word); }

 private:
  void wait() { waitpid(pid_, &status_, 0); }
  const pid_t pid_;
  int status_ = 0;
};

// The address of every instruction that it executes, one step at a time, `limit` at the most.
std::vector<uint64_t> trace(const std::function<void()> &what, size_t limit) {
  std::vector<uint64_t> way;
  Child child(what);
  while (way.size() < limit) {
    way.push_back(child.at());
    child.go(PTRACE_SINGLESTEP);
    if (child.ended()) break;
  }
  return way;
}

// Lets it run to the `nth` time that it is about to execute the instruction at `where`, and kills
// it there. False when it ended before.
bool killed_at(uint64_t where, uint32_t nth, const std::function<void()> &what) {
  Child child(what);
  const long code = child.peek(where);
  const long trap = (code & ~0xffl) | 0xcc;
  for (uint32_t n = child.at() == where; n < nth; n++) {
    if (child.at() == where) child.go(PTRACE_SINGLESTEP);
    child.poke(where, trap);
    child.go(PTRACE_CONT);
    if (child.ended()) return false;
    child.poke(where, code);
    child.move_to(where);
  }
  return true;
}

// In a process of its own, as whoever finds it would be.
void inspect(const std::string &folder, const Operation &operation, bool ended) {
  const pid_t child = fork();
  if (child == 0) {
    View v = open(folder);
    const char *wrong = v.table->check();
    if (!wrong) wrong = v.pool->check();
    if (!wrong) {
      const bool whole = (!ended && operation.before(v)) || operation.after(v);
      if (!whole) wrong = "half of it was done";
    }
    for (uint64_t n = 0; !wrong && n < 10; n++)
      if (get(v, n) != static_cast<int64_t>(n) && get(v, n) != -1) wrong = "another record changed";
    if (!wrong && v.table->size() > 15 && get(v, 3) != 3) wrong = "another record is gone";
    if (wrong) std::fprintf(stderr, "%s: %s\n", operation.name, wrong);
    _exit(wrong ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void begin(const std::string &folder, const Operation &operation) {
  clear(folder);
  Failure failure;
  SharedStore::open(folder, "test", failure);
  Memory memory = shared::open_file(folder + "/writers", failure);
  EXPECT(!failure);
  reinterpret_cast<shared::WritersHeader *>(memory.base)->seed = 42;
  View v = open(folder);
  operation.prepare(v);
}

void write_and_end(const std::string &folder, const Operation &operation) {
  View v = open(folder);
  raise(SIGSTOP);
  operation.run(v);
  _exit(0);
}

uint32_t kill_everywhere(const std::string &folder, const Operation &operation, FILE *log) {
  const auto writer = [&] { write_and_end(folder, operation); };
  begin(folder, operation);
  const std::vector<uint64_t> way = trace(writer, 20'000);
  inspect(folder, operation, true);
  std::map<uint64_t, uint32_t> times;
  uint32_t points = 0;
  for (size_t step = 0; step < way.size(); step++) {
    const uint32_t nth = ++times[way[step]];
    begin(folder, operation);
    if (!killed_at(way[step], nth, writer)) continue;  // a step through the kernel, on its way out
    std::fprintf(log, "%s\t%zu\t%#lx\n", operation.name, step, way[step]);
    inspect(folder, operation, false);
    points++;
  }
  return points;
}

// A writer is killed in the middle, and whoever repairs it at every instruction of the repair.
uint32_t kill_repairs(const std::string &folder, const Operation &operation, FILE *log) {
  const auto writer = [&] { write_and_end(folder, operation); };
  begin(folder, operation);
  const std::vector<uint64_t> way = trace(writer, 20'000);
  const size_t middle = way.size() / 2;
  const auto nth =
      static_cast<uint32_t>(std::count(way.begin(), way.begin() + middle + 1, way[middle]));
  const auto leave = [&] {
    begin(folder, operation);
    EXPECT(killed_at(way[middle], nth, writer));
  };
  const auto repairer = [&] {
    raise(SIGSTOP);
    open(folder);
    _exit(0);
  };
  leave();
  std::set<uint64_t> places;
  for (const uint64_t at : trace(repairer, 12'000)) places.insert(at);
  uint32_t points = 0;
  for (const uint64_t at : places) {
    for (const uint32_t times : {1u, 5u}) {
      leave();
      if (!killed_at(at, times, repairer)) break;
      std::fprintf(log, "repair after %s\t%u\t%#lx\n", operation.name, times, at);
      inspect(folder, operation, false);
      points++;
    }
  }
  return points;
}

}  // namespace

int main() {
  const std::string folder = "/dev/shm/rxnf-kill-test-" + std::to_string(getpid());
  const std::string path = folder + ".log";
  FILE *log = std::fopen(path.c_str(), "w");
  EXPECT(log);
  uint32_t total = 0;
  for (const auto &operation : operations) {
    const uint32_t points = kill_everywhere(folder, operation, log);
    std::printf("%-28s killed at %u points\n", operation.name, points);
    std::fflush(stdout);
    EXPECT(points > 20);
    total += points;
  }
  const uint32_t repairs = kill_repairs(folder, operations[4], log);
  std::printf("%u points in operations, %u in a repair; log: %s\n", total, repairs, path.c_str());
  std::fflush(stdout);
  EXPECT(total >= 1000 && repairs >= 100);
  std::fclose(log);
  unlink(path.c_str());
  clear(folder);
  return 0;
}

// Who writes to a table or a pool: its tag marks the locks it holds, its journal tells the others
// what it was about when it died.
//
// Structures in private memory have one hand for all threads of the process: nobody survives its
// death, so it keeps no journal. In shared memory each lane is a hand of its own
// (shared/writers.h).
#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>

namespace rxnf {

// What a writer is doing. Complete before the first change that others see, `none` after the last.
enum class Step : uint32_t {
  none = 0,
  insert,   // structure: repaired as a whole
  remove,   // of `entry`, whose version word is `version | 1` once it has begun
  swap,     // of `entry` to what follows, its version word `version | 1` until it is done
  claim,    // of `entry`, whose version word is `version | 1` once it has begun
  confirm,  // the claim on `entry`
  numbers,  // a pool
  repair    // of a structure that another left
};

struct Journal {
  std::atomic<uint32_t> step;
  uint32_t structure;  // index in the writer's list of names
  uint32_t entry;
  uint32_t deadline;
  uint64_t version;
  uint32_t size;  // bytes of the record that follows
  uint8_t timer;
  uint8_t zero[35];
};
static_assert(sizeof(Journal) == 64);

class Hand {
 public:
  explicit Hand(uint32_t tag = 1) : tag_(tag) {}
  virtual ~Hand() = default;
  Hand(const Hand &) = delete;
  Hand &operator=(const Hand &) = delete;

  uint32_t tag() const { return tag_; }  // never 0
  bool journals() const { return journal_ != nullptr; }

  void begin(Step step, uint32_t structure, uint32_t entry = 0, uint64_t version = 0) {
    if (!journal_) return;
    journal_->structure = structure;
    journal_->entry = entry;
    journal_->version = version;
    journal_->step.store(static_cast<uint32_t>(step), std::memory_order_release);
  }
  void begin_swap(uint32_t structure, uint32_t entry, uint64_t version, const uint8_t *record,
                  uint32_t size, uint8_t timer, uint32_t deadline) {
    if (!journal_) return;
    std::memcpy(record_, record, size);
    journal_->size = size;
    journal_->timer = timer;
    journal_->deadline = deadline;
    begin(Step::swap, structure, entry, version);
  }
  void end() {
    if (journal_) journal_->step.store(0, std::memory_order_release);
  }

  // Called by who has waited for long: repairs what dead writers have left. True when there was
  // one.
  virtual bool repair_dead() { return false; }
  // The holder of a lock has died; who repairs may take it.
  virtual bool dead(uint32_t /*tag*/) { return false; }

 protected:
  Journal *journal_ = nullptr;
  uint8_t *record_ = nullptr;

 private:
  const uint32_t tag_;
};

// The hand of private memory.
inline Hand &own_hand() {
  static Hand hand;
  return hand;
}

}  // namespace rxnf

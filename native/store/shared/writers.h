// The writers of a shared store: who they are, whether they live, and what the dead were about.
//
// A writer is one lane of one process. It holds a lock on its slot's byte of the file, through a
// file description of its own; the kernel lets go of it when the process ends, however it ends, so
// a free byte under a slot in use is proof of death, and no number is ever taken for another's. One
// writer repairs at a time, holding one more byte; if it dies, so does that lock.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "store/hand.h"
#include "store/shared/file.h"

namespace rxnf::shared {

inline constexpr uint32_t max_writers = 64;      // lanes of all processes of one machine
inline constexpr uint32_t max_structures = 512;  // tables and pools that one writer has open
inline constexpr uint32_t max_name = 80;
inline constexpr uint32_t max_record = 64 << 10;

struct Slot {
  std::atomic<uint32_t> writer;  // 0: free
  int32_t pid;
  char instance[max_name];
};

// What a writer has on its hands. Memory for it is there while the slot is in use.
struct alignas(4096) Desk {
  Journal journal;
  char structures[max_structures][max_name];
  alignas(4096) uint8_t record[max_record];
};

struct WritersHeader {
  uint64_t magic;
  uint32_t layout;
  std::atomic<uint32_t> next_writer;
  uint64_t seed;  // of every table's hash
  Slot slots[max_writers];
  Desk desks[max_writers];
};

struct WriterInfo {
  uint32_t slot, writer;
  int32_t pid;
  std::string instance;
  bool alive;
};

// This lane as a writer.
class SharedHand : public Hand {
 public:
  // Repairs one structure that a dead writer was in, by name.
  using Repair =
      std::function<void(const std::string &name, const Journal &, const uint8_t *record)>;

  // Takes a free slot and the next writer number. Null, with the failure, when there is none.
  static std::unique_ptr<SharedHand> take(const std::string &folder, const std::string &instance,
                                          Failure &failure);
  ~SharedHand() override;

  uint32_t writer() const { return slot_->writer.load(std::memory_order_relaxed); }
  uint64_t seed() const { return header_->seed; }
  // Puts a structure on this writer's list; the number is what its journal will say.
  uint32_t name(const std::string &structure, Failure &failure);
  void repair_by(Repair repair) { repair_ = std::move(repair); }

  bool repair_dead() override;
  bool dead(uint32_t tag) override;

  std::vector<WriterInfo> writers() const;

 private:
  SharedHand(uint32_t slot, Memory memory, FileDescriptor lock, FileDescriptor other);

  WritersHeader *header_;
  Memory memory_;
  Slot *slot_;
  Desk *desk_;
  FileDescriptor lock_;   // holds this slot's byte
  FileDescriptor other_;  // asks after the others' bytes, and holds them during repairs
  Repair repair_;
  uint32_t named_ = 0;
  bool repairing_ = false;
};

// Every writer of a store, without becoming one. Empty when there is no such store.
std::vector<WriterInfo> list_writers(const std::string &folder, Failure &failure);

// Ends every process of an instance, and returns once each is proven to be gone: SIGKILL through a
// pidfd that is known to name the holder of the slot. What they left is repaired by the next
// writer. Returns the writer numbers that were fenced.
std::vector<uint32_t> fence(const std::string &folder, const std::string &instance,
                            uint32_t limit_ms, Failure &failure);

}  // namespace rxnf::shared

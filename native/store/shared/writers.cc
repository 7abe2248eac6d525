#include "store/shared/writers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "store/table.h"

namespace rxnf::shared {
namespace {

constexpr uint64_t magic = 0x737265746972776e;
constexpr uint32_t layout_version = 1;
constexpr off_t first_byte = 1ll << 40;  // beyond the file: bytes need not exist to be locked
constexpr off_t repair_byte = first_byte + max_writers;

struct flock byte_lock(short type, off_t byte) {
  struct flock l {};
  l.l_type = type;
  l.l_whence = SEEK_SET;
  l.l_start = byte;
  l.l_len = 1;
  return l;
}

bool lock(int fd, off_t byte) {
  struct flock l = byte_lock(F_WRLCK, byte);
  return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

void unlock(int fd, off_t byte) {
  struct flock l = byte_lock(F_UNLCK, byte);
  fcntl(fd, F_OFD_SETLK, &l);
}

// Somebody other than this file description holds the byte.
bool held(int fd, off_t byte) {
  struct flock l = byte_lock(F_WRLCK, byte);
  return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

std::string writers_file(const std::string &folder) { return folder + "/writers"; }

FileDescriptor reopen(const std::string &folder) {
  return FileDescriptor(open(writers_file(folder).c_str(), O_RDWR | O_CLOEXEC));
}

void format(uint8_t *base) {
  auto *h = reinterpret_cast<WritersHeader *>(base);
  h->layout = layout_version;
  h->next_writer.store(1, std::memory_order_relaxed);
  if (getrandom(&h->seed, sizeof h->seed, 0) != sizeof h->seed) h->seed = 0x9e3779b97f4a7c15;
  h->magic = magic;
}

WritersHeader *header_of(const Memory &memory, Failure &failure) {
  auto *h = reinterpret_cast<WritersHeader *>(memory.base);
  if (memory.size >= sizeof(WritersHeader) && h->magic == magic && h->layout == layout_version)
    return h;
  failure = {
      "ERR_STORE_LAYOUT",
      "the store was made by a release that lays it out otherwise: remove it, or use another"};
  return nullptr;
}

std::vector<WriterInfo> list(const WritersHeader &header, int fd, uint32_t own) {
  std::vector<WriterInfo> all;
  for (uint32_t i = 0; i < max_writers; i++) {
    const Slot &s = header.slots[i];
    const uint32_t writer = s.writer.load(std::memory_order_acquire);
    if (writer == 0) continue;
    const bool alive = i == own || held(fd, first_byte + i);
    all.push_back(
        {i, writer, s.pid, std::string(s.instance, strnlen(s.instance, max_name)), alive});
  }
  return all;
}

}  // namespace

std::unique_ptr<SharedHand> SharedHand::take(const std::string &folder, const std::string &instance,
                                             Failure &failure) {
  Memory memory = open_or_make(writers_file(folder), sizeof(WritersHeader), format, failure,
                               offsetof(WritersHeader, desks));
  if (failure) return nullptr;
  WritersHeader *header = header_of(memory, failure);
  if (!header) return nullptr;
  FileDescriptor own = reopen(folder), other = reopen(folder);
  if (!own || !other) {
    failure = {"ERR_STORE_FILE", writers_file(folder) + ": open: " + std::strerror(errno)};
    return nullptr;
  }
  for (uint32_t i = 0; i < max_writers; i++) {
    Slot &slot = header->slots[i];
    if (slot.writer.load(std::memory_order_acquire) != 0) continue;  // in use, or to be repaired
    if (!lock(own.get(), first_byte + i)) continue;
    if (slot.writer.load(std::memory_order_acquire) != 0) {
      unlock(own.get(), first_byte + i);
      continue;
    }
    const uint32_t writer = header->next_writer.fetch_add(1, std::memory_order_relaxed);
    if (writer > max_writer) {
      failure = {"ERR_STORE_WRITERS",
                 folder + ": every writer number has been used: remove the store"};
      return nullptr;
    }
    const auto at = reinterpret_cast<uint8_t *>(&header->desks[i]) - memory.base;
    if (const int error = posix_fallocate(own.get(), at, sizeof(Desk)); error != 0) {
      failure = {"ERR_STORE_FULL", writers_file(folder) + ": " + std::strerror(error)};
      return nullptr;
    }
    slot.pid = getpid();
    std::memset(slot.instance, 0, max_name);
    std::strncpy(slot.instance, instance.c_str(), max_name - 1);
    header->desks[i].journal.step.store(0, std::memory_order_relaxed);
    slot.writer.store(writer, std::memory_order_release);
    return std::unique_ptr<SharedHand>(
        new SharedHand(i, std::move(memory), std::move(own), std::move(other)));
  }
  failure = {"ERR_STORE_WRITERS", folder + ": " + std::to_string(max_writers) +
                                      " lanes have it open, or are dead and not yet repaired"};
  return nullptr;
}

SharedHand::SharedHand(uint32_t slot, Memory memory, FileDescriptor lock, FileDescriptor other)
    : Hand(slot + 1),
      header_(reinterpret_cast<WritersHeader *>(memory.base)),
      memory_(std::move(memory)),
      slot_(&header_->slots[slot]),
      desk_(&header_->desks[slot]),
      lock_(std::move(lock)),
      other_(std::move(other)) {
  journal_ = &desk_->journal;
  record_ = desk_->record;
}

SharedHand::~SharedHand() { slot_->writer.store(0, std::memory_order_release); }

uint32_t SharedHand::name(const std::string &structure, Failure &failure) {
  for (uint32_t i = 0; i < named_; i++)
    if (structure == desk_->structures[i]) return i;
  if (named_ == max_structures || structure.size() >= max_name) {
    failure = {"ERR_STORE_NAME", structure + ": too many structures, or too long a name"};
    return 0;
  }
  std::memset(desk_->structures[named_], 0, max_name);
  std::memcpy(desk_->structures[named_], structure.c_str(), structure.size());
  return named_++;
}

bool SharedHand::dead(uint32_t tag) {
  return tag != 0 && tag <= max_writers && tag != this->tag() &&
         !held(other_.get(), first_byte + tag - 1);
}

bool SharedHand::repair_dead() {
  if (repairing_ || !repair_ || !lock(other_.get(), repair_byte)) return false;
  repairing_ = true;
  // What this writer was about to do when it met the dead: it has changed nothing yet.
  const uint32_t step = journal_->step.load(std::memory_order_relaxed);
  const uint32_t structure = journal_->structure, entry = journal_->entry;
  const uint64_t version = journal_->version;
  bool repaired = false;
  for (uint32_t i = 0; i < max_writers; i++) {
    Slot &slot = header_->slots[i];
    if (i + 1 == tag() || slot.writer.load(std::memory_order_acquire) == 0) continue;
    if (!lock(other_.get(), first_byte + i)) continue;  // it lives
    Desk &desk = header_->desks[i];
    if (desk.journal.step.load(std::memory_order_acquire) != 0) {
      const uint32_t n = desk.journal.structure;
      if (n < max_structures)
        repair_(std::string(desk.structures[n], strnlen(desk.structures[n], max_name)),
                desk.journal, desk.record);
    }
    desk.journal.step.store(0, std::memory_order_release);
    slot.writer.store(0, std::memory_order_release);
    unlock(other_.get(), first_byte + i);
    repaired = true;
  }
  if (step != 0) begin(static_cast<Step>(step), structure, entry, version);
  unlock(other_.get(), repair_byte);
  repairing_ = false;
  return repaired;
}

std::vector<WriterInfo> SharedHand::writers() const {
  return list(*header_, other_.get(), tag() - 1);
}

std::vector<WriterInfo> list_writers(const std::string &folder, Failure &failure) {
  const Memory memory = open_file(writers_file(folder), failure);
  if (failure || !memory.base) return {};
  const WritersHeader *header = header_of(memory, failure);
  const FileDescriptor fd = reopen(folder);
  if (!header || !fd) return {};
  return list(*header, fd.get(), max_writers);
}

std::vector<uint32_t> fence(const std::string &folder, const std::string &instance,
                            uint32_t limit_ms, Failure &failure) {
  const Memory memory = open_file(writers_file(folder), failure);
  if (failure || !memory.base) return {};
  const WritersHeader *header = header_of(memory, failure);
  const FileDescriptor fd = reopen(folder);
  if (!header || !fd) return {};
  std::vector<uint32_t> fenced;
  for (const WriterInfo &w : list(*header, fd.get(), max_writers)) {
    if (w.instance != instance) continue;
    if (w.pid == getpid()) {
      failure = {"ERR_STORE_FENCE", instance + ": a process cannot fence itself"};
      return fenced;
    }
    fenced.push_back(w.writer);
    if (!w.alive) continue;
    const FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, w.pid, 0)));
    // The slot was held after the pidfd was there: it names the holder, not a later process.
    const bool certain = process && held(fd.get(), first_byte + w.slot) &&
                         header->slots[w.slot].writer.load(std::memory_order_acquire) == w.writer;
    if (certain) {
      syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
      struct pollfd p {
        process.get(), POLLIN, 0
      };
      poll(&p, 1, static_cast<int>(limit_ms));
    }
    for (uint32_t waited = 0; held(fd.get(), first_byte + w.slot); waited++) {
      if (header->slots[w.slot].writer.load(std::memory_order_acquire) != w.writer) break;
      if (waited >= limit_ms) {
        failure = {"ERR_STORE_FENCE", instance + ": process " + std::to_string(w.pid) +
                                          " has not ended within " + std::to_string(limit_ms) +
                                          " ms"};
        return fenced;
      }
      usleep(1000);
    }
  }
  return fenced;
}

}  // namespace rxnf::shared

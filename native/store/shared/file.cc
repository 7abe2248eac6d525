#include "store/shared/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rxnf::shared {
namespace {

Failure system_failure(const char *call, const std::string &path, int error) {
  const bool full = error == ENOSPC || error == ENOMEM || error == EDQUOT;
  return {full ? "ERR_STORE_FULL" : "ERR_STORE_FILE",
          path + ": " + call + ": " + std::strerror(error)};
}

struct Mapping {
  void *base;
  size_t size;
  ~Mapping() { munmap(base, size); }
};

Memory map(int fd, const std::string &path, Failure &failure) {
  struct stat s {};
  if (fstat(fd, &s) != 0 || s.st_size == 0) {
    failure = system_failure("fstat", path, s.st_size == 0 ? ENODATA : errno);
    return {};
  }
  const auto size = static_cast<size_t>(s.st_size);
  void *base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    failure = system_failure("mmap", path, errno);
    return {};
  }
  madvise(base, size, MADV_HUGEPAGE);  // where the machine allows it for shared memory
  return {static_cast<uint8_t *>(base), size, std::make_shared<Mapping>(base, size)};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

FileDescriptor &FileDescriptor::operator=(FileDescriptor &&other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

Memory open_file(const std::string &path, Failure &failure) {
  const FileDescriptor fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    if (errno != ENOENT) failure = system_failure("open", path, errno);
    return {};
  }
  return map(fd.get(), path, failure);
}

Memory open_or_make(const std::string &path, size_t size,
                    const std::function<void(uint8_t *)> &format, Failure &failure,
                    size_t allocated) {
  for (int tries = 0; tries < 4; tries++) {  // somebody may make it, or remove it, meanwhile
    Memory existing = open_file(path, failure);
    if (failure || existing.base) return existing;
    static std::atomic<uint32_t> made{0};
    const std::string draft =
        path + "." + std::to_string(getpid()) + "." + std::to_string(made.fetch_add(1)) + ".new";
    const FileDescriptor fd(open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
      failure = system_failure("open", draft, errno);
      return {};
    }
    Memory memory;
    const auto now = static_cast<off_t>(allocated != 0 ? allocated : size);
    if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
      failure = system_failure("ftruncate", draft, errno);
    else if (const int error = posix_fallocate(fd.get(), 0, now); error != 0)
      failure = system_failure("posix_fallocate", draft, error);
    else
      memory = map(fd.get(), draft, failure);
    if (memory.base) format(memory.base);
    const bool linked = memory.base && link(draft.c_str(), path.c_str()) == 0;
    const int error = errno;
    unlink(draft.c_str());
    if (linked) return memory;
    if (!memory.base) return {};
    if (error != EEXIST) {
      failure = system_failure("link", path, error);
      return {};
    }
  }
  failure = {"ERR_STORE_FILE", path + ": is being made and removed by others"};
  return {};
}

}  // namespace rxnf::shared

// Files that processes map together. Made whole or not at all: laid out under a name of its own and
// then linked to the name that the others open.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "store/table.h"

namespace rxnf::shared {

// Why a file could not be opened; errno's word with the call and the path.
struct Failure {
  std::string code;  // ERR_STORE_FULL, ERR_STORE_FILE, ERR_STORE_LAYOUT, ERR_STORE_SCHEMA, ...
  std::string message;
  explicit operator bool() const { return !code.empty(); }
};

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor &&other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor &operator=(FileDescriptor &&other) noexcept;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Maps an existing file; an empty Memory, without a failure, when there is none.
Memory open_file(const std::string &path, Failure &failure);

// Maps a file, made with `size` zeroed bytes that `format` lays out where there is none yet. The
// first `allocated` bytes (0: all) are allocated at once: a machine that has too little memory says
// so here and not later.
Memory open_or_make(const std::string &path, size_t size,
                    const std::function<void(uint8_t *)> &format, Failure &failure,
                    size_t allocated = 0);

}  // namespace rxnf::shared

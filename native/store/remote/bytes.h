// A queue of bytes that lie in one piece: appended behind, consumed in front. Grows by doubling and
// keeps what it has; whoever fills it sees to it that there is an end to that.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace rxnf::remote {

class Bytes {
 public:
  explicit Bytes(size_t capacity) : bytes_(new uint8_t[capacity]), capacity_(capacity) {}

  const uint8_t *begin() const { return bytes_.get() + from_; }
  const uint8_t *end() const { return bytes_.get() + to_; }
  size_t size() const { return to_ - from_; }
  std::span<const uint8_t> span() const { return {begin(), size()}; }

  void consume(size_t n) {
    from_ += n;
    if (from_ == to_) from_ = to_ = 0;
  }
  void clear() { from_ = to_ = 0; }

  // Room behind the end; pointers into the queue are void after this.
  std::span<uint8_t> room(size_t at_least) {
    if (capacity_ - to_ < at_least) make_room(at_least);
    return {bytes_.get() + to_, capacity_ - to_};
  }
  void produced(size_t n) { to_ += n; }

  void append(const void *data, size_t n) {
    std::memcpy(room(n).data(), data, n);
    to_ += n;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }

 private:
  void make_room(size_t at_least) {
    const size_t have = size();
    size_t capacity = capacity_;
    while (capacity - have < at_least) capacity *= 2;
    if (capacity == capacity_) {
      std::memmove(bytes_.get(), begin(), have);
    } else {
      std::unique_ptr<uint8_t[]> larger(new uint8_t[capacity]);
      std::memcpy(larger.get(), begin(), have);
      bytes_ = std::move(larger);
      capacity_ = capacity;
    }
    from_ = 0;
    to_ = have;
  }

  std::unique_ptr<uint8_t[]> bytes_;
  size_t capacity_, from_ = 0, to_ = 0;
};

}  // namespace rxnf::remote

// A table's keys on a server: `{pp}TABLE/` and 16 raw bytes, where pp is the partition in hex.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "lane/batch.h"
#include "store/remote/bytes.h"
#include "store/remote/command.h"

namespace rxnf::remote {

inline constexpr uint32_t max_partitions = 256;
inline constexpr size_t max_table_name = 40;

// Unseeded: every instance must come to the same.
inline uint32_t partition_of(const Key &k, uint32_t partitions) {
  const __uint128_t m =
      static_cast<__uint128_t>(k.low ^ 0x9e3779b97f4a7c15) * (k.high ^ 0xd1b54a32d192ed03);
  const uint64_t h = static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
  return static_cast<uint32_t>((h >> 32) * partitions >> 32);
}

// What is hashed of a partition's keys, so that they lie in one slot of a cluster: two hex digits.
inline std::string partition_tag(uint32_t partition) {
  static const char hex[] = "0123456789abcdef";
  return {hex[partition >> 4], hex[partition & 15]};
}

class KeySpace {
 public:
  KeySpace(std::string_view table, uint32_t partitions) : partitions_(partitions) {
    const std::string size = std::to_string(4 + table.size() + 1 + sizeof(Key));
    for (uint32_t p = 0; p < partitions; p++) {
      const std::string text =
          "$" + size + "\r\n{" + partition_tag(p) + "}" + std::string(table) + "/";
      std::memcpy(prefixes_.emplace_back().data(), text.data(), text.size());
      prefix_size_ = text.size();
      header_size_ = size.size() + 3;
    }
  }

  uint32_t partition(const Key &k) const { return partition_of(k, partitions_); }

  // Bytes that `bulk` may touch.
  static constexpr size_t bulk_room = 64 + sizeof(Key) + 2;
  // Writes a key as a bulk string; returns where it ends.
  uint8_t *bulk(uint8_t *out, uint32_t partition, const Key &key) const {
    std::memcpy(out, prefixes_[partition].data(), 64);
    out += prefix_size_;
    std::memcpy(out, &key, sizeof key);
    out += sizeof key;
    *out++ = '\r';
    *out++ = '\n';
    return out;
  }

  // The name of one of the partition's others, by its sign: `!` of the deadlines, `=` of the size.
  void append_sibling(Bytes &out, uint32_t partition, char sign) const {
    const size_t size = prefix_size_ - header_size_;
    append_header(out, '$', size);
    out.append(prefixes_[partition].data() + header_size_, size - 1);
    out.append(&sign, 1);
    out.append("\r\n");
  }
  // Of the hash that keeps accounts of the writers.
  static void append_accounts(Bytes &out, uint32_t partition) {
    append_bulk(out, "{" + partition_tag(partition) + "}+");
  }

  void append(Bytes &out, uint32_t partition, const Key &key) const {
    uint8_t *const at = out.room(bulk_room).data();
    out.produced(static_cast<size_t>(bulk(at, partition, key) - at));
  }

 private:
  const uint32_t partitions_;
  size_t prefix_size_ = 0, header_size_ = 0;
  std::vector<std::array<uint8_t, 64>> prefixes_;
};

}  // namespace rxnf::remote

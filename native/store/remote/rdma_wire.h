// The control messages of Valkey over RDMA: 32 bytes, big-endian, carried by SEND.
// Payload goes beside them, by RDMA WRITE WITH IMM, whose immediate value is its length.
//
// Source of layouts and opcodes: valkey-io/valkey-doc, topics/RDMA.md, "Protocol".
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace rxnf::rdma {

constexpr uint32_t command_bytes = 32;

// Receives that each side keeps posted. Every SEND and every WRITE WITH IMM uses one up; the
// specification recommends this number, and servers keep it without announcing it.
constexpr uint32_t receive_depth = 1024;

enum class Opcode : uint16_t {
  get_server_feature = 0,    // answered by one of the same opcode
  set_client_feature = 1,    // not answered
  keepalive = 2,             // not answered
  register_xfer_memory = 3,  // "write your stream here, from its start"
};

// One control message. `select` and `features` belong to the feature messages; `address`, `length`
// and `key` to register_xfer_memory.
//
//   feature   0 opcode u16 | 2 select u16 | 4 zeros              | 24 features u64
//   memory    0 opcode u16 | 2 zeros      | 16 address u64       | 24 length u32 | 28 key u32
struct Command {
  Opcode opcode = Opcode::keepalive;
  uint16_t select = 0;
  uint64_t features = 0;
  uint64_t address = 0;
  uint32_t length = 0;
  uint32_t key = 0;
};

template <typename T>
T big_endian(T value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <typename T>
void put(std::span<uint8_t, command_bytes> into, size_t offset, T value) {
  const T swapped = big_endian(value);
  std::memcpy(into.data() + offset, &swapped, sizeof(T));
}

template <typename T>
T take(std::span<const uint8_t, command_bytes> from, size_t offset) {
  T value;
  std::memcpy(&value, from.data() + offset, sizeof(T));
  return big_endian(value);
}

inline void encode(const Command &command, std::span<uint8_t, command_bytes> into) {
  std::memset(into.data(), 0, into.size());
  put<uint16_t>(into, 0, static_cast<uint16_t>(command.opcode));
  switch (command.opcode) {
    case Opcode::get_server_feature:
    case Opcode::set_client_feature:
      put<uint16_t>(into, 2, command.select);
      put<uint64_t>(into, 24, command.features);
      break;
    case Opcode::register_xfer_memory:
      put<uint64_t>(into, 16, command.address);
      put<uint32_t>(into, 24, command.length);
      put<uint32_t>(into, 28, command.key);
      break;
    case Opcode::keepalive:
      break;
  }
}

// An opcode that is not of the protocol is left for the caller to see.
inline Command decode(std::span<const uint8_t, command_bytes> from) {
  Command command{.opcode = static_cast<Opcode>(take<uint16_t>(from, 0))};
  if (command.opcode == Opcode::register_xfer_memory) {
    command.address = take<uint64_t>(from, 16);
    command.length = take<uint32_t>(from, 24);
    command.key = take<uint32_t>(from, 28);
  } else {
    command.select = take<uint16_t>(from, 2);
    command.features = take<uint64_t>(from, 24);
  }
  return command;
}

}  // namespace rxnf::rdma

// The byte stream of Valkey over RDMA, without the device: framing, offsets and credits.
//
//   send(bytes) -> outgoing ring -> WRITE WITH IMM -> the peer's buffer, at a growing offset
//   the peer's WRITE WITH IMM -> incoming -> receive(into)
//
// Each side registers one buffer with the other. Whoever has filled the other's buffer waits until
// it is registered again, which its owner does when it has read it to the end.
//
// Credits. A message that finds no receive posted at the peer is refused (RNR), and as a Valkey
// server accepts connections with rnr_retry_count 0, the first refusal breaks the connection. An
// acknowledgement says that a receive was used up, not that it was posted again. What does say so
// is an answer to GetServerFeature: the peer handles its receives in order and posts each again as
// it goes, so every message before the question is behind it. When half of the credits are gone,
// the stream asks. Data stops `reserved_credits` short of the end, which are for control messages.
//
// Memory is the caller's, and fixed. One thread. Nothing here blocks or allocates, but for the text
// of a failure; after that, everything answers 0.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "store/remote/rdma_wire.h"

namespace rxnf::rdma {

// What the stream asks of a queue pair. Each call returns 0 or a positive errno.
class Verbs {
 public:
  virtual ~Verbs() = default;
  // Posts a receive into bytes slot * command_bytes of Memory::receives.
  virtual int post_receive(uint32_t slot) = 0;
  // SEND of the `command_bytes` at `offset` in Memory::commands.
  virtual int post_command(uint32_t offset) = 0;
  // WRITE WITH IMM of `length` bytes at `offset` in Memory::outgoing; imm is `length`, big-endian.
  virtual int post_write(uint32_t offset, uint32_t length, uint64_t address, uint32_t key) = 0;
};

struct Memory {
  std::span<uint8_t> receives;  // receive_depth * command_bytes
  std::span<uint8_t> commands;  // command_slots * command_bytes
  std::span<uint8_t> outgoing;  // a ring: bytes lie in it until their write has completed
  std::span<uint8_t> incoming;  // the peer writes into it
  uint64_t incoming_address = 0;
  uint32_t incoming_key = 0;
};

constexpr uint32_t command_slots = 16;     // control messages on their way at once
constexpr uint32_t reserved_credits = 16;  // of receive_depth, for control messages
constexpr uint32_t probe_after = receive_depth / 2;
constexpr uint32_t send_depth = receive_depth + command_slots;  // work requests on their way
constexpr uint64_t keepalive_ns = 3'000'000'000;                // as often as a Valkey server sends

class Stream {
 public:
  Stream(Verbs &verbs, const Memory &memory);

  // Posts every receive. Before the connection is made, so that the first message finds one.
  void prepare();
  // The connection stands: asks for features, chooses none, registers `incoming`.
  void established(uint64_t now_ns);

  // Completions, in the order in which the queue pair gives them.
  void received(uint32_t slot, uint32_t bytes);            // a SEND of the peer
  void received_write(uint32_t slot, uint32_t immediate);  // imm as it came, big-endian
  void sent();                                             // the oldest of what was posted

  // Sends the control messages that are due: registration, question for credits, keepalive. Called
  // at every poll once the connection stands.
  void flush(uint64_t now_ns);

  size_t send(std::span<const uint8_t> bytes);
  size_t receive(std::span<uint8_t> into);

  // The peer has registered its buffer: bytes can be sent.
  bool open() const { return peer_.length != 0 && !failed(); }
  bool failed() const { return !error_.empty(); }
  const std::string &error() const { return error_; }

  // Messages that the peer is known to have a receive for.
  uint32_t credits() const { return receive_depth - static_cast<uint32_t>(posted_ - proven_); }

 private:
  struct Buffer {
    uint64_t address = 0;
    uint32_t length = 0;
    uint32_t key = 0;
    uint32_t used = 0;
  };

  void handle(const Command &command);
  void adopt(const Command &command);
  void register_incoming();
  bool post(const Command &command);
  bool post_again(uint32_t slot);
  uint32_t next_write(size_t wanted) const;
  bool succeeded(const char *what, int error_number);
  void fail(std::string why);

  Verbs &verbs_;
  Memory memory_;
  std::string error_;

  Buffer peer_;
  uint32_t arrived_ = 0, taken_ = 0;  // bytes of `incoming`
  bool registration_due_ = false;

  // Work requests on their way, oldest first: a write's length, or 0 for a control message.
  std::array<uint32_t, send_depth> on_their_way_{};
  uint64_t posted_ = 0, completed_ = 0;
  uint64_t outgoing_head_ = 0, outgoing_tail_ = 0;  // bytes ever put in and given back
  uint64_t commands_head_ = 0, commands_tail_ = 0;

  uint64_t proven_ = 0;    // of `posted_`: those whose receives the peer has posted again
  uint64_t question_ = 0;  // of `posted_`: those before the open question
  bool asking_ = false;
  uint64_t posted_at_flush_ = 0;
  uint64_t quiet_since_ns_ = 0;
};

}  // namespace rxnf::rdma

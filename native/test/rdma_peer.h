// The other end of an RDMA stream, as a Valkey server behaves: a queue of receives, each posted
// again when its message is handled, and no patience with a message that finds none
// (rnr_retry_count 0).
#pragma once
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "store/remote/rdma_stream.h"
#include "test/support.h"

namespace rxnf::test {

constexpr uint64_t server_address = 0x7f0000001000, client_address = 0x7e0000002000;
constexpr uint32_t server_key = 0x1122, client_key = 0x3344;

class RdmaPeer : public rdma::Verbs {
 public:
  RdmaPeer(uint32_t server_bytes, uint32_t client_bytes, uint32_t outgoing_bytes)
      : receives_(rdma::receive_depth * rdma::command_bytes),
        commands_(rdma::command_slots * rdma::command_bytes),
        outgoing_(outgoing_bytes, 0xa5),
        incoming_(client_bytes, 0xa5),
        buffer_(server_bytes, 0xa5),
        client(*this, {.receives = receives_,
                       .commands = commands_,
                       .outgoing = outgoing_,
                       .incoming = incoming_,
                       .incoming_address = client_address,
                       .incoming_key = client_key}) {}

  // --- what the client asks of its queue pair

  int post_receive(uint32_t slot) override {
    client_receives_.push_back(slot);
    return refuse;
  }

  int post_command(uint32_t offset) override {
    if (refuse) return refuse;
    Message m{.command = std::vector<uint8_t>(&commands_[offset], &commands_[offset] + 32)};
    log.push_back(hex(m.command));
    accept(std::move(m));
    return 0;
  }

  int post_write(uint32_t offset, uint32_t length, uint64_t address, uint32_t key) override {
    if (refuse) return refuse;
    EXPECT(key == server_key);
    EXPECT(address >= server_address && address + length <= server_address + buffer_.size());
    EXPECT(offset + length <= outgoing_.size());
    log.push_back("write " + std::to_string(address - server_address) + " " +
                  std::to_string(length));
    accept({.offset = offset, .length = length, .place = address - server_address});
    return 0;
  }

  // --- what the server does

  void register_buffer() {
    rdma::Command c{.opcode = rdma::Opcode::register_xfer_memory,
                    .address = server_address,
                    .length = static_cast<uint32_t>(buffer_.size()),
                    .key = server_key};
    send(c);
    used_ = 0;
  }

  // Handles up to `most` messages, in order; reads all that was written; answers features;
  // registers its buffer again when it is full.
  uint32_t handle(uint32_t most) {
    uint32_t handled = 0;
    for (; handled < most && !arrived_.empty(); handled++) {
      const Message m = std::move(arrived_.front());
      arrived_.pop_front();
      if (m.length) {
        EXPECT(m.place == used_);  // the stream has no holes
        heard.append(reinterpret_cast<const char *>(&buffer_[used_]), m.length);
        used_ += m.length;
      } else {
        answer(rdma::decode(std::span<const uint8_t, 32>(m.command.data(), 32)));
      }
      if (used_ == buffer_.size()) register_buffer();
    }
    return handled;
  }

  // Writes as much as the client's buffer takes; the number of bytes.
  size_t write(std::string_view bytes) {
    const size_t length = std::min(bytes.size(), client_free());
    if (length == 0) return 0;
    std::memcpy(&incoming_[client_used_], bytes.data(), length);
    client_used_ += length;
    client.received_write(next_slot(), rdma::big_endian(static_cast<uint32_t>(length)));
    return length;
  }

  void send(const rdma::Command &command) {
    const uint32_t slot = next_slot();
    rdma::encode(command, std::span<uint8_t, 32>(&receives_[slot * 32], 32));
    client.received(slot, 32);
  }

  size_t client_free() const { return registered_ ? incoming_.size() - client_used_ : 0; }
  size_t unhandled() const { return arrived_.size(); }

  // Gives the client the completions of its oldest `most` messages.
  void complete(uint32_t most) {
    for (; most > 0 && incomplete_ > 0; most--, incomplete_--) client.sent();
  }

  uint32_t next_slot() {
    EXPECT(!client_receives_.empty());
    const uint32_t slot = client_receives_.front();
    client_receives_.pop_front();
    return slot;
  }

  static std::string hex(std::span<const uint8_t> bytes) {
    std::string text;
    char two[3];
    for (const uint8_t b : bytes) std::snprintf(two, 3, "%02x", b), text += two;
    return text;
  }

  int refuse = 0;                // the errno of everything that is posted
  std::string heard;             // the stream as the server read it
  std::vector<std::string> log;  // what the client posted
  uint32_t registrations = 0;    // of the client's buffer
  bool broken = false;           // a message found no receive

 private:
  struct Message {
    std::vector<uint8_t> command{};
    uint32_t offset = 0, length = 0;
    uint64_t place = 0;
  };

  // The device writes at once; the bytes may still be sent again until the write has completed.
  void accept(Message m) {
    incomplete_++;
    if (arrived_.size() == rdma::receive_depth) broken = true;
    if (m.length) std::memcpy(&buffer_[m.place], &outgoing_[m.offset], m.length);
    arrived_.push_back(std::move(m));
  }

  void answer(const rdma::Command &c) {
    if (c.opcode == rdma::Opcode::get_server_feature) send({.opcode = c.opcode});
    if (c.opcode != rdma::Opcode::register_xfer_memory) return;
    EXPECT(c.address == client_address && c.key == client_key && c.length == incoming_.size());
    EXPECT(!registered_ || client_used_ == incoming_.size());
    registered_ = true;
    registrations++;
    client_used_ = 0;
  }

  std::vector<uint8_t> receives_, commands_, outgoing_, incoming_, buffer_;
  std::deque<uint32_t> client_receives_;
  std::deque<Message> arrived_;
  uint32_t incomplete_ = 0;
  size_t used_ = 0, client_used_ = 0;
  bool registered_ = false;

 public:
  rdma::Stream client;
};

}  // namespace rxnf::test

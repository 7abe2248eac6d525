#include "store/remote/rdma_stream.h"

#include <algorithm>
#include <cstring>

namespace rxnf::rdma {

Stream::Stream(Verbs &verbs, const Memory &memory) : verbs_(verbs), memory_(memory) {}

void Stream::prepare() {
  for (uint32_t slot = 0; slot < receive_depth; slot++)
    if (!post_again(slot)) return;
}

void Stream::established(uint64_t now_ns) {
  quiet_since_ns_ = now_ns;
  registration_due_ = true;
  asking_ = true;  // the first question is about nothing that was sent before
  if (!post({.opcode = Opcode::get_server_feature})) return;
  if (!post({.opcode = Opcode::set_client_feature})) return;
  flush(now_ns);
}

// The receive is posted again before its message has any effect: the peer may count on it.
void Stream::received(uint32_t slot, uint32_t bytes) {
  if (failed()) return;
  if (bytes != command_bytes) {
    fail("the peer sent a control message of " + std::to_string(bytes) + " bytes, not 32");
    return;
  }
  const Command command = decode(std::span<const uint8_t, command_bytes>(
      &memory_.receives[slot * command_bytes], command_bytes));
  if (post_again(slot)) handle(command);
}

void Stream::received_write(uint32_t slot, uint32_t immediate) {
  if (failed() || !post_again(slot)) return;
  const uint32_t length = big_endian(immediate);
  if (length > memory_.incoming.size() - arrived_) {
    fail("the peer wrote " + std::to_string(length) + " bytes into a buffer with room for " +
         std::to_string(memory_.incoming.size() - arrived_));
    return;
  }
  arrived_ += length;
}

void Stream::sent() {
  if (failed()) return;
  if (completed_ == posted_) {
    fail("the device completed a work request that was never posted");
    return;
  }
  const uint32_t length = on_their_way_[completed_++ % send_depth];
  if (length)
    outgoing_tail_ += length;
  else
    commands_tail_++;
}

void Stream::flush(uint64_t now_ns) {
  if (failed()) return;
  register_incoming();
  if (!asking_ && posted_ - proven_ >= probe_after) {
    const uint64_t before = posted_;
    if (post({.opcode = Opcode::get_server_feature})) {
      asking_ = true;
      question_ = before;
    }
  }
  if (posted_ == posted_at_flush_ && now_ns - quiet_since_ns_ >= keepalive_ns)
    post({.opcode = Opcode::keepalive});
  if (posted_ != posted_at_flush_) quiet_since_ns_ = now_ns;
  posted_at_flush_ = posted_;
}

size_t Stream::send(std::span<const uint8_t> bytes) {
  size_t taken = 0;
  while (const uint32_t length = next_write(bytes.size() - taken)) {
    const auto offset = static_cast<uint32_t>(outgoing_head_ % memory_.outgoing.size());
    std::memcpy(&memory_.outgoing[offset], bytes.data() + taken, length);
    if (!succeeded("ibv_post_send of a write",
                   verbs_.post_write(offset, length, peer_.address + peer_.used, peer_.key)))
      return taken;
    on_their_way_[posted_++ % send_depth] = length;
    outgoing_head_ += length;
    peer_.used += length;
    taken += length;
  }
  return taken;
}

size_t Stream::receive(std::span<uint8_t> into) {
  if (failed()) return 0;
  const size_t length = std::min<size_t>(into.size(), arrived_ - taken_);
  if (length) std::memcpy(into.data(), &memory_.incoming[taken_], length);
  taken_ += static_cast<uint32_t>(length);
  if (taken_ == memory_.incoming.size()) {
    registration_due_ = true;
    register_incoming();
  }
  return length;
}

void Stream::handle(const Command &command) {
  switch (command.opcode) {
    case Opcode::get_server_feature:
      if (!asking_) return fail("the peer answered a question for features that was not asked");
      asking_ = false;
      proven_ = question_;
      return;
    case Opcode::keepalive:
      return;
    case Opcode::register_xfer_memory:
      return adopt(command);
    case Opcode::set_client_feature:
      break;
  }
  fail("the peer sent opcode " + std::to_string(static_cast<uint16_t>(command.opcode)) +
       ", which a server never sends: is it a Valkey server's RDMA port?");
}

void Stream::adopt(const Command &command) {
  if (peer_.used != peer_.length)
    return fail("the peer registered a new buffer with " +
                std::to_string(peer_.length - peer_.used) + " bytes of the old one still free");
  if (command.length == 0 || command.address > UINT64_MAX - command.length)
    return fail("the peer registered a buffer that cannot be: " + std::to_string(command.length) +
                " bytes");
  peer_ = {.address = command.address, .length = command.length, .key = command.key};
}

// The buffer counts as full until the peer can know that it is empty.
void Stream::register_incoming() {
  if (!registration_due_ || !post({.opcode = Opcode::register_xfer_memory,
                                   .address = memory_.incoming_address,
                                   .length = static_cast<uint32_t>(memory_.incoming.size()),
                                   .key = memory_.incoming_key}))
    return;
  registration_due_ = false;
  arrived_ = taken_ = 0;
}

// False when there is no credit or no room for it now, too: what is due stays due.
bool Stream::post(const Command &command) {
  if (failed() || credits() == 0 || commands_head_ - commands_tail_ == command_slots ||
      posted_ - completed_ == send_depth)
    return false;
  const auto offset = static_cast<uint32_t>(commands_head_ % command_slots) * command_bytes;
  encode(command, std::span<uint8_t, command_bytes>(&memory_.commands[offset], command_bytes));
  if (!succeeded("ibv_post_send of a control message", verbs_.post_command(offset))) return false;
  on_their_way_[posted_++ % send_depth] = 0;
  commands_head_++;
  return true;
}

bool Stream::post_again(uint32_t slot) {
  return succeeded("ibv_post_recv", verbs_.post_receive(slot));
}

// The length of the next write: as much as the peer's buffer, the ring up to its end, the send
// queue and the credits allow.
uint32_t Stream::next_write(size_t wanted) const {
  if (failed() || credits() <= reserved_credits ||
      posted_ - completed_ >= send_depth - command_slots)
    return 0;
  const size_t size = memory_.outgoing.size();
  const size_t free = size - (outgoing_head_ - outgoing_tail_);
  const size_t to_end = size - outgoing_head_ % size;
  return static_cast<uint32_t>(
      std::min({wanted, free, to_end, static_cast<size_t>(peer_.length - peer_.used)}));
}

bool Stream::succeeded(const char *what, int error_number) {
  if (error_number) fail(std::string(what) + ": " + std::strerror(error_number));
  return error_number == 0;
}

void Stream::fail(std::string why) {
  if (error_.empty()) error_ = std::move(why);
}

}  // namespace rxnf::rdma

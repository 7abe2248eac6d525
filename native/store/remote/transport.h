// A byte stream to a store, polled: TCP, TLS, a unix socket, or RDMA. Never blocks.
//
// Life: created connecting; `poll` brings it up; after `failed` it only waits to be destroyed, and
// whoever owns it makes another. One thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rxnf {

class Transport {
 public:
  enum class State : uint8_t { connecting, open, failed };

  virtual ~Transport() = default;

  // Does what is due: finishes connecting, handshakes, keepalives. Cheap when nothing is.
  virtual State poll(uint64_t now_ns) = 0;

  // Takes bytes to send, as many as there is room for now; 0 when there is none or it is not open.
  virtual size_t send(std::span<const uint8_t> bytes) = 0;

  // Fills `into` with what has arrived; 0 when nothing has.
  virtual size_t receive(std::span<uint8_t> into) = 0;

  // What poll(2) can wait on for something to happen; -1 where there is no such thing.
  virtual int descriptor() const { return -1; }

  // Why it failed: the call, the peer, the system's word for it. Empty before.
  virtual const std::string &error() const = 0;
};

}  // namespace rxnf

// One command and what its reply is for. Owned by the operation that makes it; a connection has it
// from `submit` until `settled`.
//
// Every request may be sent again after its connection was lost: the store's functions know a write
// by its version or token, so that doing it twice is doing it once (docs/decisions/0007).
#pragma once
#include <cstdint>
#include <string>

#include "store/remote/bytes.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

enum class Fate : uint8_t {
  answered,
  unsent,       // never left: the store is away, or the queue is full
  unavailable,  // left, and the connection is gone: what it asked may have been done
  timed_out     // left, and no reply came in time: likewise
};

class Request {
 public:
  enum class Progress : uint8_t {
    more,   // the reply is not all there
    whole,  // the reply has been taken
    again,  // the server cannot serve now: to be sent again, elsewhere or on a new connection
    broken  // the stream is not what it should be
  };

  virtual ~Request() = default;
  // Appends the command, and begins its reply anew.
  virtual void encode(Bytes &out) = 0;
  // Takes what there is of the reply. `why` is set with `again`.
  virtual Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                        std::string &why) = 0;
  // The connection is done with it.
  virtual void settled(Fate fate) = 0;
  // The request that this one stands for; who asks takes it out of this one.
  virtual Request &unwrap() { return *this; }

  // Set by connections.
  uint64_t due_ns = 0;
  bool sent_once = false;  // it may have been performed
  bool repeated = false;   // so it was when it was encoded last
  size_t encoded_bytes = 0;
  uint32_t group = 0;  // set by routes
  // Set by Asking, which precedes the first command only: each other one needs an ASKING of its
  // own.
  bool behind_asking = false;
  // Set with `again`: it asks otherwise the next time, and need not wait for that.
  bool asks_otherwise = false;
};

}  // namespace rxnf::remote

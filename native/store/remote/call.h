// A command made elsewhere (outside the data path) and its reply, flattened for whoever asked:
// 32-bit words, each value beginning with its kind.
//
//   0 null   1 array, elements   2 string, bytes, ...padded to 4   3 number, low, high   4 error,
//   as 2
#pragma once
#include <vector>

#include "store/remote/proof.h"
#include "store/remote/request.h"

namespace rxnf::remote {

// Sent like any request, or as a proof: then its reply counts if what it says lies on enough
// replicas.
class Call : public Request, public Proof {
 public:
  enum class State : uint8_t { free, queued, out, answered, failed, delivered };

  // The command as RESP, ready to be sent, on keys of one partition.
  void prepare(const uint8_t *command, size_t size, uint32_t partition = 0) {
    command_.assign(command, command + size);
    partition_ = partition;
    words_.clear();
    state_ = State::queued;
  }
  void go() { state_ = State::out; }
  State state() const { return state_; }
  Fate fate() const { return fate_; }
  const std::vector<uint32_t> &words() const { return words_; }
  // Whoever asked is told now; until they have been, the call's number is nobody else's.
  void deliver() { state_ = State::delivered; }
  void release() { state_ = State::free; }

  void encode(Bytes &out) override {
    words_.clear();
    out.append(command_.data(), command_.size());
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override;
  void settled(Fate fate) override {
    fate_ = fate;
    state_ = fate == Fate::answered ? State::answered : State::failed;
  }

  uint32_t partition() const override { return partition_; }
  void ask(Bytes &out) override { encode(out); }
  void answered(const resp::Token &t) override { take(t); }
  void decided(bool holds) override { settled(holds ? Fate::answered : Fate::unavailable); }

 private:
  // False where no server sends this to what is asked here.
  bool take(const resp::Token &t);
  void append(uint32_t kind, const resp::Token &t);

  State state_ = State::free;
  Fate fate_ = Fate::answered;
  uint32_t partition_ = 0;
  std::vector<uint8_t> command_;
  std::vector<uint32_t> words_;
};

}  // namespace rxnf::remote

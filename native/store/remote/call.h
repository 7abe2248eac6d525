// A command made elsewhere (outside the data path) and its reply, flattened for whoever asked:
// 32-bit words, each value beginning with its kind.
//
//   0 null   1 array, elements   2 string, bytes, ...padded to 4   3 number, low, high   4 error,
//   as 2
#pragma once
#include <vector>

#include "store/remote/request.h"

namespace rxnf::remote {

class Call : public Request {
 public:
  enum class State : uint8_t { free, out, answered, failed, delivered };

  // The command as RESP, ready to be sent.
  void prepare(const uint8_t *command, size_t size) {
    command_.assign(command, command + size);
    state_ = State::out;
  }
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

 private:
  void append(uint32_t kind, const resp::Token &t);

  State state_ = State::free;
  Fate fate_ = Fate::answered;
  std::vector<uint8_t> command_;
  std::vector<uint32_t> words_;
};

}  // namespace rxnf::remote

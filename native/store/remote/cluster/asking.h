// A request that goes, this once, to the node that its slot is on its way to: behind ASKING.
#pragma once
#include "store/remote/command.h"
#include "store/remote/reply.h"

namespace rxnf::remote {

class Asking : public Request {
 public:
  bool is_free() const { return inner_ == nullptr; }
  void wrap(Request &inner) {
    inner_ = &inner;
    due_ns = inner.due_ns;
    sent_once = inner.sent_once;
    group = inner.group;
  }

  void encode(Bytes &out) override {
    is_asked_ = false;
    append_command(out, "ASKING");
    inner_->repeated = repeated;
    inner_->behind_asking = true;
    inner_->encode(out);
    inner_->sent_once = true;
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override {
    if (!is_asked_) {
      const Progress asked = pass_over(reader, at, end, why);
      if (asked != Progress::whole) return asked;
      is_asked_ = true;
    }
    return inner_->read(reader, at, end, why);
  }
  void settled(Fate fate) override { unwrap().settled(fate); }
  Request &unwrap() override {
    Request &inner = *inner_;
    inner_ = nullptr;
    inner.behind_asking = false;
    return inner;
  }

 private:
  Request *inner_ = nullptr;
  bool is_asked_ = false;
};

}  // namespace rxnf::remote

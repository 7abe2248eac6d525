#include "store/remote/refresh.h"

#include "store/remote/command.h"
#include "store/remote/reply.h"

namespace rxnf::remote {

class Refresher::Call : public Request {
 public:
  explicit Call(Refresher &owner) : owner_(owner) {}

  void encode(Bytes &out) override {
    const bool names_all = owner_.routes_.names_all_keys();
    append_header(out, '*', 3 + 2 * entries_.size() + names_all + 4);
    append_bulk(out, "FCALL");
    append_bulk(out, "rxnf1_touch");
    append_bulk(out, entries_.size() + names_all);
    for (const Entry &e : entries_) owner_.keys_.append(out, owner_.keys_.partition(e.key), e.key);
    if (names_all)
      owner_.keys_.append_sibling(out, owner_.keys_.partition(entries_.front().key), '!');
    for (const uint32_t t : owner_.schema_.idle_ms) append_bulk(out, t);
    for (const Entry &e : entries_) append_bulk(out, &e.version, sizeof e.version);
  }

  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override {
    return pass_over(reader, at, end, why);
  }

  // Lost ones are gathered again: a packet that has left counts on them.
  void settled(Fate fate) override {
    is_out_ = false;
    if (fate == Fate::answered) return;
    for (const Entry &e : entries_) {
      if (owner_.waiting_ == most) break;
      owner_.gathered_[owner_.routes_.group(owner_.keys_.partition(e.key))].push_back(e);
      owner_.waiting_++;
    }
  }

  bool is_out() const { return is_out_; }
  void go(std::vector<Entry> &gathered, uint32_t group, uint64_t now_ns) {
    const size_t n = gathered.size() < at_once ? gathered.size() : at_once;
    entries_.assign(gathered.end() - static_cast<long>(n), gathered.end());
    gathered.resize(gathered.size() - n);
    owner_.waiting_ -= n;
    is_out_ = true;
    owner_.routes_.submit(group, *this, now_ns);
  }

 private:
  Refresher &owner_;
  std::vector<Entry> entries_;
  bool is_out_ = false;
};

Refresher::Refresher(Routes &routes, const KeySpace &keys, const Schema &schema)
    : routes_(routes), keys_(keys), schema_(schema), asked_(remembered) {
  gathered_.resize(routes.groups());
  for (uint32_t g = 0; g < routes.groups(); g++) {
    gathered_[g].reserve(at_once);
    calls_.push_back(std::make_unique<Call>(*this));
  }
}

Refresher::~Refresher() = default;

void Refresher::add(const Key &key, uint64_t version, uint64_t now_ns) {
  Asked &asked = asked_[(key.low ^ key.low >> 29 ^ key.high * 31) % remembered];
  if (asked.key == key && asked.at_ns != 0 && now_ns - asked.at_ns < again_ns) return;
  if (waiting_ == most) return;
  asked = {key, now_ns};
  gathered_[routes_.group(keys_.partition(key))].push_back({key, version});
  waiting_++;
}

void Refresher::poll(uint64_t now_ns) {
  if (waiting_ == 0 || now_ns - sent_at_ns_ < gather_ns) return;
  sent_at_ns_ = now_ns;
  for (uint32_t g = 0; g < gathered_.size(); g++)
    if (!gathered_[g].empty() && !calls_[g]->is_out() && !routes_.is_away(g))
      calls_[g]->go(gathered_[g], g, now_ns);
}

}  // namespace rxnf::remote

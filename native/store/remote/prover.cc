#include "store/remote/prover.h"

#include <algorithm>

#include "store/remote/reply.h"

namespace rxnf::remote {
namespace {

// Within the time of the request that it is part of.
constexpr uint64_t wait_share = 2;

}  // namespace

class Prover::Round : public Request {
 public:
  Round(uint32_t writer, uint64_t wait_ms) : writer_(writer), wait_ms_(wait_ms) {}

  std::vector<Proof *> proofs;
  bool is_out = false, is_done = false;

  // Once it is done.
  bool holds(size_t proof) const {
    return is_known_ && answered_[proof] && replicas_ >= proofs[proof]->replicas;
  }

  void encode(Bytes &out) override {
    reply_ = 0;
    replicas_ = 0;
    is_refused_ = is_known_ = false;
    answered_.assign(proofs.size(), true);
    uint32_t replicas = 0;
    for (Proof *p : proofs) {
      p->ask(out);
      replicas = std::max(replicas, p->replicas);
    }
    const std::string own =
        "{" + partition_tag(proofs.front()->partition()) + "}+proof:" + std::to_string(writer_);
    append_command(out, "SET", own, "1", "EX", "60");
    append_command(out, "WAIT", uint64_t{replicas}, wait_ms_);
  }

  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override {
    resp::Token t;
    for (;;) {
      const auto step = reader.next(at, end, t);
      if (step == resp::Reader::Step::more) return Progress::more;
      if (step == resp::Reader::Step::broken) return Progress::broken;
      if (t.kind == resp::Kind::error && t.depth == 0) {
        // What has moved away is for its new owner to prove, when it is met there.
        Ending ending;
        if (!is_elsewhere(t) && is_to_be_repeated(t, ending, why)) return Progress::again;
        if (reply_ < proofs.size())
          answered_[reply_] = false;
        else
          is_refused_ = true;
      } else if (reply_ < proofs.size()) {
        proofs[reply_]->answered(t);
      } else if (t.kind == resp::Kind::number) {
        replicas_ = static_cast<uint32_t>(t.value);
      }
      if (reader.whole() && ++reply_ == proofs.size() + 2) return Progress::whole;
    }
  }

  void settled(Fate fate) override {
    is_known_ = fate == Fate::answered && !is_refused_;
    is_done = true;
  }

 private:
  const uint32_t writer_;
  const uint64_t wait_ms_;
  size_t reply_ = 0;
  uint32_t replicas_ = 0;
  bool is_refused_ = false, is_known_ = false;
  std::vector<uint8_t> answered_;  // by proof
};

// Sets the flag of what was proved, one call for each partition. One that is lost is proved anew by
// who meets it.
class Prover::Mark : public Request {
 public:
  struct Entry {
    const KeySpace *keys;
    VersionsProof::Entry entry;
  };
  std::vector<Entry> entries, gathered;
  bool is_out = false;

  void encode(Bytes &out) override {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
      return a.entry.partition < b.entry.partition;
    });
    calls_ = 0;
    for (auto from = entries.begin(); from != entries.end(); calls_++) {
      const auto to = std::find_if(from, entries.end(), [&](const Entry &e) {
        return e.entry.partition != from->entry.partition;
      });
      const auto count = static_cast<size_t>(to - from);
      append_header(out, '*', 3 + 2 * count);
      append_bulk(out, "FCALL");
      append_bulk(out, "rxnf1_mark");
      append_bulk(out, count);
      for (auto e = from; e != to; ++e) e->keys->append(out, e->entry.partition, e->entry.key);
      for (; from != to; ++from) append_bulk(out, &from->entry.version, sizeof from->entry.version);
    }
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &) override {
    resp::Token t;
    for (;;) {
      const auto step = reader.next(at, end, t);
      if (step == resp::Reader::Step::more) return Progress::more;
      if (step == resp::Reader::Step::broken) return Progress::broken;
      if (reader.whole() && --calls_ == 0) return Progress::whole;
    }
  }
  void settled(Fate) override { is_out = false; }

 private:
  size_t calls_ = 0;
};

Prover::Prover(const ConnectionOptions &options, uint32_t writer)
    : connection_(options),
      round_(std::make_unique<Round>(writer, options.request_timeout_ns / wait_share / 1'000'000)),
      mark_(std::make_unique<Mark>()) {}

Prover::~Prover() { close(); }

void Prover::close() { connection_.close(); }

void Prover::mark(const VersionsProof &proof) {
  for (const VersionsProof::Entry &e : proof.entries)
    if (e.stands && e.version != 0 && mark_->gathered.size() < marks)
      mark_->gathered.push_back({proof.keys, e});
}

void Prover::finish_round() {
  round_->is_done = round_->is_out = false;
  for (size_t i = 0; i < round_->proofs.size(); i++) round_->proofs[i]->decided(round_->holds(i));
  round_->proofs.clear();
}

void Prover::poll(uint64_t now_ns) {
  connection_.poll(now_ns);
  if (round_->is_done) finish_round();
  if (!mark_->is_out && !mark_->gathered.empty()) {
    mark_->entries.swap(mark_->gathered);
    mark_->gathered.clear();
    mark_->is_out = true;
    connection_.submit(*mark_, now_ns);
  }
  if (round_->is_out || waiting_.empty()) return;
  const auto taken = waiting_.begin() + static_cast<long>(std::min(waiting_.size(), at_once));
  round_->proofs.assign(waiting_.begin(), taken);
  waiting_.erase(waiting_.begin(), taken);
  round_->is_out = true;
  connection_.submit(*round_, now_ns);
}

}  // namespace rxnf::remote

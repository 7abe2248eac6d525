#include "store/remote/lookup.h"

#include "lane/lane.h"
#include "store/remote/command.h"
#include "store/remote/reply.h"

namespace rxnf::remote {
namespace {

constexpr uint16_t none = 0xffff;

// What became of a key.
enum class Found : uint8_t { failed, miss, hit, mismatch };

}  // namespace

// The keys of one group of partitions: one request.
//
// While a slot's keys move from one node to another, one by one, a command that names several of
// which some are on either side is refused (TRYAGAIN). Then each is asked for by a command of its
// own: the old owner answers for those that it has, and sends us to the new one (ASK) for the rest,
// which answers for all, also for those that are nowhere.
class LookupPart : public Request, public VersionsProof {
 public:
  RemoteLookup *owner = nullptr;
  LookupFlight *flight = nullptr;
  uint32_t from = 0, count = 0;  // in the flight's order

  void encode(Bytes &out) override;
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override;
  void settled(Fate fate) override;
  void decided(bool holds) override;

 private:
  void ask_singly();
  void encode_singly(Bytes &out);
  Progress read_singly(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                       std::string &why);

  uint32_t next_ = 0;  // reply
  Ending ending_ = Ending::answered;
  bool singly_ = false, is_asking_ = false;  // the next reply is to ASKING
  size_t kept_ = 0;                          // entries of earlier rounds
  std::vector<uint16_t> left_, elsewhere_;   // places behind `from`: asked for, and refused
};

struct LookupFlight : FlightHead {
  uint32_t rows = 0;
  uint16_t row[max_rows];     // looked up, in order
  uint16_t key_of[max_rows];  // by place in `row`
  uint16_t first[max_rows];   // by key: the first row that has it
  Found found[max_rows];      // by key
  uint16_t reason[max_rows];  // by key, where it failed
  bool stale[max_rows];       // by key: to be refreshed
  std::vector<LookupPart> parts;
};

void LookupPart::encode(Bytes &out) {
  next_ = 0;
  ending_ = Ending::answered;
  entries.erase(entries.begin() + static_cast<ptrdiff_t>(kept_), entries.end());
  if (singly_) return encode_singly(out);
  append_header(out, '*', count + 1);
  append_bulk(out, "MGET");
  const Register &r = flight->batch.registers[owner->config_.reg];
  uint8_t *const begin = out.room(count * KeySpace::bulk_room + KeySpace::bulk_room).data();
  uint8_t *p = begin;
  for (uint32_t n = 0; n < count; n++) {
    const uint16_t u = flight->order[from + n];
    // A cancelled batch may hold other keys by now; nobody looks at what they bring.
    p = owner->keys_.bulk(p, flight->partition[u], r.key[flight->first[u]]);
  }
  out.produced(static_cast<size_t>(p - begin));
}

void LookupPart::encode_singly(Bytes &out) {
  elsewhere_.clear();
  is_asking_ = false;  // the first reply is the asker's
  const Register &r = flight->batch.registers[owner->config_.reg];
  for (size_t i = 0; i < left_.size(); i++) {
    if (i > 0 && behind_asking) append_command(out, "ASKING");
    append_header(out, '*', 2);
    append_bulk(out, "GET");
    const uint16_t u = flight->order[from + left_[i]];
    uint8_t *const begin = out.room(2 * KeySpace::bulk_room).data();
    const uint8_t *p = owner->keys_.bulk(begin, flight->partition[u], r.key[flight->first[u]]);
    out.produced(static_cast<size_t>(p - begin));
  }
}

void LookupPart::ask_singly() {
  singly_ = asks_otherwise = true;
  left_.resize(count);
  for (uint32_t n = 0; n < count; n++) left_[n] = static_cast<uint16_t>(n);
}

// Replies to the last command too, before what was refused is asked for elsewhere.
Request::Progress LookupPart::read_singly(resp::Reader &reader, const uint8_t *&at,
                                          const uint8_t *end, std::string &why) {
  resp::Token t;
  while (next_ < left_.size()) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Progress::more;
    if (step == resp::Reader::Step::broken || !reader.whole()) return Progress::broken;
    if (is_asking_) {  // where it fails, so does the command behind it
      is_asking_ = false;
      continue;
    }
    const uint16_t n = left_[next_++];
    if (t.kind == resp::Kind::blob || t.kind == resp::Kind::null) {
      if (!flight->cancelled) owner->take(*this, flight->order[from + n], t);
    } else if (t.kind != resp::Kind::error) {
      return Progress::broken;
    } else if (is_to_be_repeated(t, ending_, why)) {
      elsewhere_.push_back(n);
    }
    is_asking_ = behind_asking;
  }
  left_.swap(elsewhere_);
  kept_ = entries.size();
  return left_.empty() || ending_ != Ending::answered ? Progress::whole : Progress::again;
}

Request::Progress LookupPart::read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                                   std::string &why) {
  const uint32_t group = owner->routes_.group(flight->partition[flight->order[from]]);
  owner->server_ms_ = owner->routes_.server_ms(group, owner->now_ns());
  if (singly_) return read_singly(reader, at, end, why);
  resp::Token t;
  for (;;) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Progress::more;
    if (step == resp::Reader::Step::broken) return Progress::broken;
    if (t.depth == 1 && (t.kind == resp::Kind::blob || t.kind == resp::Kind::null)) [[likely]] {
      if (!flight->cancelled) owner->take(*this, flight->order[from + next_], t);
      next_++;
    } else if (t.kind == resp::Kind::error && t.depth == 0) {
      if (is_to_be_repeated(t, ending_, why)) {
        if (is_split(t)) ask_singly();
        return Progress::again;
      }
    } else if (t.kind != resp::Kind::array || t.value != count) {
      return Progress::broken;
    }
    if (reader.whole()) return Progress::whole;
  }
}

void LookupPart::settled(Fate fate) {
  singly_ = asks_otherwise = false;
  kept_ = 0;
  const Ending ending = ending_of(fate, ending_);
  if (ending != Ending::answered)
    for (uint32_t n = 0; n < count; n++) {
      const uint16_t u = flight->order[from + n];
      flight->found[u] = Found::failed;
      flight->reason[u] = static_cast<uint16_t>(reason_of(ending, owner->reasons_));
    }
  else if (!entries.empty() && !flight->cancelled)
    return owner->routes_.prover(owner->routes_.group(partition())).prove(*this);
  flight->parts_out--;
}

void LookupPart::decided(bool holds) {
  if (holds) owner->routes_.prover(owner->routes_.group(partition())).mark(*this);
  for (const Entry &e : entries)
    if (!holds || !e.stands) {
      flight->found[e.subject] = Found::failed;
      flight->reason[e.subject] = static_cast<uint16_t>(owner->reasons_.unproved);
    }
  flight->parts_out--;
}

RemoteLookup::RemoteLookup(Lane &lane, Routes &routes, Refresher &refresher, const KeySpace &keys,
                           const Schema &schema, const LookupConfig &config, const Reasons &reasons)
    : Flights(lane, routes),
      refresher_(refresher),
      keys_(keys),
      schema_(schema),
      config_(config),
      reasons_(reasons),
      make_key_(lane.pool().base, config.key) {
  prepare(keys, schema.replicas);
}

RemoteLookup::~RemoteLookup() = default;

uint64_t RemoteLookup::now_ns() const { return static_cast<uint64_t>(lane_.counters().tick_ns); }

// The keys of the rows that take part, each once.
void RemoteLookup::stage(LookupFlight &f) {
  Batch &b = f.batch;
  Register &r = b.registers[config_.reg];
  const auto count = static_cast<uint32_t>(b.header->count);
  b.header->attended[config_.reg] = b.header->staged[config_.reg] = b.header->lost[config_.reg] = 0;
  f.rows = f.count = 0;
  uint16_t slots[4 * max_rows];  // at most a quarter full: hardly any key meets another's
  uint32_t size = 16;
  while (size < count * 4) size *= 2;
  std::memset(slots, 0xff, size * sizeof *slots);
  for (uint32_t i = 0; i < count; i++) {
    if (b.verdict[i] != verdict::pending || !config_.where(b.traits[i])) continue;
    if (config_.key != KeyOf::staged) r.key[i] = make_key_(b, i);
    const Key &k = r.key[i];
    uint32_t s = static_cast<uint32_t>(((k.low ^ k.high * 31) * 0x9e3779b97f4a7c15) >> 40);
    while (slots[s & (size - 1)] != none && !(r.key[f.first[slots[s & (size - 1)]]] == k)) s++;
    uint16_t &slot = slots[s & (size - 1)];
    if (slot == none) {
      slot = static_cast<uint16_t>(f.count++);
      f.first[slot] = static_cast<uint16_t>(i);
      f.partition[slot] = static_cast<uint8_t>(keys_.partition(k));
    }
    f.key_of[f.rows] = slot;
    f.row[f.rows++] = static_cast<uint16_t>(i);
  }
}

void RemoteLookup::refuse(LookupFlight &f) {
  for (uint32_t u = 0; u < f.count; u++) {
    f.found[u] = Found::failed;
    f.reason[u] = static_cast<uint16_t>(reasons_.unavailable);
  }
}

// One key's reply, into the columns of the first row that has it.
void RemoteLookup::take(LookupPart &part, uint32_t u, const resp::Token &t) {
  LookupFlight &f = *part.flight;
  Register &r = f.batch.registers[config_.reg];
  const uint16_t row = f.first[u];
  f.stale[u] = false;
  r.version[row] = 0;
  r.timer[row] = 0;
  if (t.kind == resp::Kind::null) {
    f.found[u] = Found::miss;
    return;
  }
  ValueHeader h;
  if (t.size < sizeof h) {
    f.found[u] = Found::mismatch;
    return;
  }
  std::memcpy(&h, t.data, sizeof h);
  if (h.schema != schema_.name) {
    f.found[u] = Found::mismatch;
    return;
  }
  f.found[u] = Found::hit;
  r.version[row] = h.version;
  r.timer[row] = h.timer;
  if (schema_.replicas > 0 && !(h.flags & committed))
    part.entries.push_back({r.key[row], h.version, static_cast<uint16_t>(u), f.partition[u]});
  f.stale[u] = refresher_.is_due(h.deadline_ms, h.timer, server_ms_);
  const uint32_t there = t.size - static_cast<uint32_t>(sizeof h);
  uint8_t *record = r.record + size_t{row} * r.stride;
  if (there >= r.stride) [[likely]] {
    std::memcpy(record, t.data + sizeof h, r.stride);
  } else {
    std::memcpy(record, t.data + sizeof h, there);
    std::memset(record + there, 0, r.stride - there);
  }
}

// Every row in order, as LookupKernel does it.
void RemoteLookup::complete(LookupFlight &f) {
  Batch &b = f.batch;
  Register &r = b.registers[config_.reg];
  const uint64_t now = now_ns();
  uint32_t attended = 0;
  for (uint32_t n = 0; n < f.rows; n++) {
    const uint16_t row = f.row[n], u = f.key_of[n], first = f.first[u];
    const Found found = f.found[u];
    if (found == Found::failed || found == Found::mismatch) {
      r.state[row] = static_cast<uint8_t>(Lookup::none);
      b.verdict[row] =
          verdict::drop(found == Found::failed ? f.reason[u] : reasons_.schema_mismatch);
      continue;
    }
    if (row != first) {
      r.version[row] = r.version[first];
      r.timer[row] = r.timer[first];
      std::memcpy(r.record + size_t{row} * r.stride, r.record + size_t{first} * r.stride, r.stride);
    }
    bool attend = config_.attend_all;
    if (found == Found::hit) {
      r.state[row] = static_cast<uint8_t>(Lookup::hit);
      if (f.stale[u] && config_.refresh(b.traits[row])) {
        f.stale[u] = false;
        refresher_.add(r.key[row], r.version[row], now);
      }
      attend |= ((r.timer[row] & watched) | (b.traits[row] & config_.attend_any)) != 0;
    } else {
      r.state[row] = static_cast<uint8_t>(Lookup::miss);
      attend |= config_.attend_misses;
    }
    r.attended[attended] = row;
    attended += attend;
  }
  join(r, attended);
  b.header->attended[config_.reg] = static_cast<int32_t>(attended);
}

}  // namespace rxnf::remote

#include "store/remote/write.h"

#include "kernels/keys.h"
#include "lane/lane.h"
#include "store/remote/command.h"
#include "store/remote/reply.h"

namespace rxnf::remote {
namespace {

// What a write came to.
enum class Outcome : uint8_t { won, lost, gone, full, failed };

// An operation as rxnf1_write takes it; the record follows.
struct [[gnu::packed]] Staged {
  char kind;  // i, s, r
  uint64_t expected, version;
  uint8_t timer, flags;
  uint16_t schema_version;
  uint32_t schema;
};
static_assert(sizeof(Staged) == 25);

}  // namespace

// The writes of one group of partitions: one request.
class WritePart : public Request, public VersionsProof {
 public:
  RemoteWrite *owner = nullptr;
  WriteFlight *flight = nullptr;
  uint32_t from = 0, count = 0;  // in the flight's order

  void encode(Bytes &out) override;
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override;
  void settled(Fate fate) override;
  void decided(bool holds) override;

 private:
  void take(uint32_t n, const resp::Token &t);
  void ask(uint32_t n, uint64_t version);

  uint32_t next_ = 0;
  uint64_t sequence_ = 0;
  bool idle_ = false;  // what is sent in its place asks for nothing
  Ending ending_ = Ending::answered;
};

// By key: the writes in the order of their staging.
struct WriteFlight : FlightHead {
  uint16_t row[max_rows];
  Write kind[max_rows];
  uint64_t expected[max_rows], version[max_rows];
  Outcome outcome[max_rows];
  Ending ending[max_rows];
  std::vector<WritePart> parts;
};

void WritePart::encode(Bytes &out) {
  next_ = 0;
  ending_ = Ending::answered;
  entries.clear();
  if (!repeated) sequence_ = owner->lane_.writer().call();
  // The batch is another's by now, and what was staged in it is gone.
  idle_ = flight->cancelled;
  if (idle_) return append_command(out, "PING");
  const RemoteWrite &o = *owner;
  Register &r = flight->batch.registers[o.reg_];
  bool only_removals = true;
  for (uint32_t k = 0; k < count; k++)
    only_removals &= flight->kind[flight->order[from + k]] == Write::remove;
  const uint32_t others = o.routes_.names_all_keys() ? 3 : 0;
  append_header(out, '*', 3 + count + others + 8 + count);
  append_bulk(out, "FCALL");
  // Removals make room, so they are allowed where there is none.
  append_bulk(out, only_removals ? "rxnf1_remove" : "rxnf1_write");
  append_bulk(out, count + others);
  for (uint32_t k = 0; k < count; k++) {
    const uint16_t n = flight->order[from + k];
    o.keys_.append(out, flight->partition[n], r.key[flight->row[n]]);
  }
  if (others > 0) {
    const uint32_t partition = flight->partition[flight->order[from]];
    o.keys_.append_sibling(out, partition, '!');
    o.keys_.append_sibling(out, partition, '=');
    KeySpace::append_accounts(out, partition);
  }
  for (const uint32_t t : o.schema_.idle_ms) append_bulk(out, t);
  append_bulk(out, o.partition_capacity_);
  append_bulk(out, o.lane_.writer().number());
  append_bulk(out, sequence_);
  append_bulk(out, uint64_t{repeated});
  for (uint32_t k = 0; k < count; k++) {
    const uint16_t n = flight->order[from + k], row = flight->row[n];
    const bool removes = flight->kind[n] == Write::remove;
    const Staged s{flight->kind[n] == Write::insert ? 'i'
                   : removes                        ? 'r'
                                                    : 's',
                   flight->expected[n],
                   flight->version[n],
                   r.timer[row],
                   0,
                   o.schema_.version,
                   o.schema_.name};
    const uint32_t size = removes ? 0 : o.schema_.record_size;
    append_header(out, '$', sizeof s + size);
    out.append(&s, sizeof s);
    out.append(r.next + size_t{row} * r.stride, size);
    out.append("\r\n");
  }
}

Request::Progress WritePart::read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                                  std::string &why) {
  resp::Token t;
  for (;;) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Progress::more;
    if (step == resp::Reader::Step::broken) return Progress::broken;
    if (idle_) {
      if (reader.whole()) return Progress::whole;
    } else if (t.depth == 1) {
      if (!flight->cancelled) take(flight->order[from + next_], t);
      next_++;
    } else if (t.kind == resp::Kind::error && t.depth == 0) {
      if (is_to_be_repeated(t, ending_, why)) return Progress::again;
    } else if (t.kind != resp::Kind::array || t.value != count) {
      return Progress::broken;
    }
    if (reader.whole()) return Progress::whole;
  }
}

// 1 won, 0 full, 2 unknown, null gone, and for one that lost the winner's value.
void WritePart::take(uint32_t n, const resp::Token &t) {
  Outcome &outcome = flight->outcome[n];
  if (t.kind == resp::Kind::number) {
    outcome = t.value == 1 ? Outcome::won : t.value == 0 ? Outcome::full : Outcome::failed;
    flight->ending[n] = Ending::unavailable;  // of 2: performed before, and nothing shows what came
    if (outcome == Outcome::won) ask(n, flight->version[n]);
    return;
  }
  outcome = Outcome::gone;
  ValueHeader h;
  if (t.kind != resp::Kind::blob || t.size < sizeof h) return;
  std::memcpy(&h, t.data, sizeof h);
  outcome = Outcome::lost;
  if (!(h.flags & committed)) ask(n, h.version);
  Register &r = flight->batch.registers[owner->reg_];
  const uint16_t row = flight->row[n];
  r.version[row] = h.version;
  r.timer[row] = h.timer;
  const uint32_t there = std::min(t.size - static_cast<uint32_t>(sizeof h), r.stride);
  uint8_t *record = r.record + size_t{row} * r.stride;
  std::memcpy(record, t.data + sizeof h, there);
  std::memset(record + there, 0, r.stride - there);
}

void WritePart::settled(Fate fate) {
  const Ending ending = ending_of(fate, ending_);
  if (ending != Ending::answered)
    for (uint32_t k = 0; k < count; k++) {
      const uint16_t n = flight->order[from + k];
      flight->outcome[n] = ending == Ending::full ? Outcome::full : Outcome::failed;
      flight->ending[n] = ending;
    }
  else if (!entries.empty() && !flight->cancelled)
    return owner->routes_.prover(owner->routes_.group(partition())).prove(*this);
  flight->parts_out--;
}

// What may have been lost again is neither won nor lost.
void WritePart::decided(bool holds) {
  if (holds) owner->routes_.prover(owner->routes_.group(partition())).mark(*this);
  for (const Entry &e : entries)
    if (!holds || !e.stands) {
      flight->outcome[e.subject] = Outcome::failed;
      flight->ending[e.subject] = Ending::unproved;
    }
  flight->parts_out--;
}

// A version that the write's packets will depend on, whoever wrote it.
void WritePart::ask(uint32_t n, uint64_t version) {
  if (replicas > 0)
    entries.push_back({flight->batch.registers[owner->reg_].key[flight->row[n]], version,
                       static_cast<uint16_t>(n), flight->partition[n]});
}

RemoteWrite::RemoteWrite(Lane &lane, Routes &routes, const KeySpace &keys, const Schema &schema,
                         uint32_t reg, uint32_t partition_capacity, const Reasons &reasons)
    : Flights(lane, routes),
      keys_(keys),
      schema_(schema),
      reg_(reg),
      partition_capacity_(partition_capacity),
      reasons_(reasons) {
  prepare(keys, schema.replicas);
}

RemoteWrite::~RemoteWrite() = default;

// What is staged, off the columns: each write with the version that it keeps however often it is
// sent.
void RemoteWrite::stage(WriteFlight &f) {
  Batch &b = f.batch;
  Register &r = b.registers[reg_];
  f.count = 0;
  for (int32_t i = 0; i < b.header->staged[reg_]; i++) {
    const uint16_t row = r.staged[i];
    const auto kind = static_cast<Write>(r.write[row]);
    if (kind == Write::none) continue;  // staged, and taken back
    r.write[row] = static_cast<uint8_t>(Write::none);
    const uint32_t n = f.count++;
    f.row[n] = row;
    f.kind[n] = kind;
    f.expected[n] = kind == Write::insert ? 0 : r.version[row];
    f.version[n] = kind == Write::remove ? 0 : lane_.writer().version();
    f.partition[n] = static_cast<uint8_t>(keys_.partition(r.key[row]));
    f.outcome[n] = Outcome::failed;
    f.ending[n] = Ending::unsent;
  }
}

// A held packet may lead others of its key: its buffer is not this batch's to drop.
void RemoteWrite::drop(Batch &b, uint32_t row, uint32_t reason) const {
  if (b.verdict[row] >= 0 && b.verdict[row] != verdict::held)
    b.verdict[row] = verdict::drop(reason);
}

// True when the write stands, or was refused.
bool RemoteWrite::conclude(WriteFlight &f, uint32_t n) {
  Batch &b = f.batch;
  Register &r = b.registers[reg_];
  const uint16_t row = f.row[n];
  switch (f.outcome[n]) {
    case Outcome::won:
      if (f.kind[n] == Write::remove) {
        r.state[row] = static_cast<uint8_t>(Lookup::miss);
        r.version[row] = 0;
      } else {
        std::memcpy(r.record + size_t{row} * r.stride, r.next + size_t{row} * r.stride, r.stride);
        r.version[row] = f.version[n];
        r.state[row] = static_cast<uint8_t>(Lookup::hit);
      }
      return true;
    case Outcome::lost:
      r.state[row] = static_cast<uint8_t>(Lookup::hit);
      return false;
    case Outcome::gone:
      r.version[row] = 0;
      r.state[row] = static_cast<uint8_t>(Lookup::miss);
      return false;
    case Outcome::full:
      drop(b, row, reasons_.full);
      break;
    case Outcome::failed:
      drop(b, row, reason_of(f.ending[n], reasons_));
      if (f.ending[n] == Ending::unavailable || f.ending[n] == Ending::timed_out ||
          f.ending[n] == Ending::unproved) {
        r.state[row] = static_cast<uint8_t>(Lookup::unknown);
        return true;
      }
      break;
  }
  // Not performed. The packets that share the record have seen what a swap was to make of it, and
  // the row's own verdict may have been another: so the state says it. A removal leaves what there
  // is.
  if (f.kind[n] == Write::insert) r.state[row] = static_cast<uint8_t>(Lookup::miss);
  if (f.kind[n] == Write::swap) r.state[row] = static_cast<uint8_t>(Lookup::unknown);
  return true;
}

void RemoteWrite::complete(WriteFlight &f) {
  Batch &b = f.batch;
  Register &r = b.registers[reg_];
  int32_t lost = 0;
  for (uint32_t n = 0; n < f.count; n++)
    if (!conclude(f, n)) r.lost[lost++] = f.row[n];
  b.header->staged[reg_] = 0;
  b.header->lost[reg_] = lost;
  share_outcomes(b, r, static_cast<uint32_t>(b.header->attended[reg_]), [this](int32_t leader) {
    const auto reason = static_cast<uint32_t>(-leader);
    return leader < 0 &&
           (reason == reasons_.unavailable || reason == reasons_.timeout ||
            reason == reasons_.full || reason == reasons_.refused || reason == reasons_.unproved);
  });
}

}  // namespace rxnf::remote

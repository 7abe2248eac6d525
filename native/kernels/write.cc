#include "kernels/write.h"

#include "kernels/keys.h"
#include "lane/reasons.h"

namespace rxnf {

namespace {

bool refused(int32_t verdict) {
  return verdict == verdict::drop(static_cast<uint32_t>(Reason::table_full)) ||
         verdict == verdict::drop(static_cast<uint32_t>(Reason::store_busy));
}

}  // namespace

// True when the write stands.
bool WriteKernel::write(Batch &b, Register &r, uint32_t row) {
  const auto op = static_cast<Write>(r.write[row]);
  if (op == Write::none) return true;  // staged, and taken back
  r.write[row] = static_cast<uint8_t>(Write::none);
  uint8_t *next = r.next + size_t{row} * r.stride;
  uint8_t *record = r.record + size_t{row} * r.stride;
  const uint64_t h = table_.hash(r.key[row]);
  Entry *e = nullptr;
  Outcome outcome;
  uint64_t version = 0;
  if (op == Write::remove) {
    outcome = table_.remove(h, r.key[row], r.version[row]);
    if (outcome == Outcome::gone) outcome = Outcome::won;  // it is not there: as asked
  } else {
    version = writer_.version();
    outcome = op == Write::insert ? table_.insert_or_read(h, r.key[row], next, &r.timer[row],
                                                          &version, b.header->now_ms, record)
                                  : table_.swap(h, r.key[row], r.version[row], next, r.timer[row],
                                                version, b.header->now_ms, &e);
  }
  switch (outcome) {
    case Outcome::won:
      std::memcpy(record, next, r.stride);
      r.version[row] = version;
      r.state[row] = static_cast<uint8_t>(op == Write::remove ? Lookup::miss : Lookup::hit);
      return true;
    case Outcome::full:
    case Outcome::busy:
      // A held packet may lead others of its key: its buffer is not this batch's to drop.
      if (b.verdict[row] != verdict::held)
        b.verdict[row] = verdict::drop(static_cast<uint32_t>(
            outcome == Outcome::full ? Reason::table_full : Reason::store_busy));
      // A removal that was not done leaves the record where it was.
      if (op != Write::remove) r.state[row] = static_cast<uint8_t>(Lookup::miss);
      return true;
    default:
      if (op != Write::insert) {
        if (outcome == Outcome::lost && !e) e = table_.find(h, r.key[row]);
        version = e ? table_.read(e, r.key[row], record, &r.timer[row]) : 0;
      }
      r.version[row] = version;
      r.state[row] = static_cast<uint8_t>(r.version[row] ? Lookup::hit : Lookup::miss);
      return false;
  }
}

int32_t WriteKernel::run(Batch &b) {
  Register &r = b.registers[reg_];
  const int32_t staged = b.header->staged[reg_];
  for (int32_t n = 0; n < staged; n++) table_.prefetch(table_.hash(r.key[r.staged[n]]));
  int32_t lost = 0;
  for (int32_t n = 0; n < staged; n++) {
    const uint16_t row = r.staged[n];
    if (!write(b, r, row)) r.lost[lost++] = row;
  }
  b.header->staged[reg_] = 0;
  b.header->lost[reg_] = lost;
  share_outcomes(b, r, static_cast<uint32_t>(b.header->attended[reg_]), refused);
  return lost;
}

}  // namespace rxnf

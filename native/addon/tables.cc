// Tables. Those opened under one name anywhere in the process are one table, shared by its lanes.
#include <algorithm>
#include <map>
#include <mutex>

#include "addon/environment.h"

namespace rxnf::addon {
namespace {

std::mutex names_lock;
std::map<std::string, std::weak_ptr<Table>> names;

bool same(const TableConfig &a, const TableConfig &b) {
  return a.capacity == b.capacity && a.record_size == b.record_size && a.schema == b.schema;
}

}  // namespace

bool table_config(const Napi::CallbackInfo &info, size_t at, const std::string &name,
                  TableConfig &c) {
  const auto o = info[at].As<Napi::Object>();
  c.capacity = u32(o, "capacity");
  c.record_size = u32(o, "recordSize");
  c.schema = static_cast<uint16_t>(u32(o, "schema"));
  const auto idle = o.Get("idleMilliseconds").As<Napi::Array>();
  for (uint32_t i = 0; i < 4 && i < idle.Length(); i++)
    c.idle_ms[i] = idle.Get(i).ToNumber().Uint32Value();
  c.seed = static_cast<uint64_t>(o.Get("seed").ToNumber().DoubleValue());
  if (c.capacity != 0 && c.capacity <= (1u << 28) && c.record_size != 0 &&
      c.record_size <= Table::max_record && c.record_size % 4 == 0)
    return true;
  fail(info.Env(), "ERR_TABLE_CONFIG",
       "table " + name + ": capacity 1 to 2^28, record size 4 to 65536 bytes in steps of 4");
  return false;
}

namespace {

Napi::Value open(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const std::string name = info[0].ToString();
  TableConfig c{};
  if (!table_config(info, 1, name, c)) return env.Undefined();
  std::lock_guard<std::mutex> guard(names_lock);
  std::shared_ptr<Table> table = names[name].lock();
  if (table && !same(table->config(), c)) {
    fail(env, "ERR_TABLE_CONFIG",
         "table " + name + " is open with another capacity, record size or schema");
    return env.Undefined();
  }
  if (!table) {
    table = std::make_shared<Table>(c);
    if (!table->valid()) {
      fail(env, "ERR_NO_MEMORY", "table " + name + ": not enough memory for its capacity");
      return env.Undefined();
    }
    names[name] = table;
  }
  return add(env, environment(env).tables, table);
}

Napi::Value close(const Napi::CallbackInfo &info) {
  auto &tables = environment(info.Env()).tables;
  if (item(info, 0, tables, "table")) tables[info[0].ToNumber().Uint32Value()].reset();
  return info.Env().Undefined();
}

Napi::Value size(const Napi::CallbackInfo &info) {
  auto table = item(info, 0, environment(info.Env()).tables, "table");
  return table ? Napi::Number::New(info.Env(), table->size()) : info.Env().Undefined();
}

// Rows of [key 16, timer 1, pad 3, claim 4, record...] into a buffer; returns how many. The stride
// is 24 plus the record size.
struct Rows {
  uint8_t *out;
  uint32_t limit, stride, record, count;
  bool full() const { return count == limit; }
  void operator()(const Key &key, const uint8_t *bytes, uint8_t timer, uint32_t claim = 0) {
    uint8_t *p = out + size_t{count++} * stride;
    std::memcpy(p, &key, 16);
    std::memset(p + 16, 0, 4);
    p[16] = timer;
    std::memcpy(p + 20, &claim, 4);
    std::memcpy(p + 24, bytes, record);
  }
};

Rows rows(const Napi::CallbackInfo &info, size_t at, const Table &table) {
  auto out = info[at].As<Napi::Uint8Array>();
  const uint32_t record = table.config().record_size, stride = 24 + record;
  return Rows{out.Data(), static_cast<uint32_t>(out.ByteLength() / stride), stride, record, 0};
}

// extent(table): entries that may hold records, from 0.
Napi::Value extent(const Napi::CallbackInfo &info) {
  auto table = item(info, 0, environment(info.Env()).tables, "table");
  return table ? Napi::Number::New(info.Env(), table->extent()) : info.Env().Undefined();
}

// sweep(table, nowMilliseconds, from, entries, out): `out` must hold as many rows as are visited.
Napi::Value sweep(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  Rows r = rows(info, 4, *table);
  uint32_t entries = info[3].ToNumber().Uint32Value();
  if (entries > r.limit) entries = r.limit;
  return Napi::Number::New(env, table->sweep(info[1].ToNumber().Uint32Value(),
                                             info[2].ToNumber().Uint32Value(), entries, r));
}

// dump(table, out): as many records as fit; returns how many.
Napi::Value dump(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  Rows r = rows(info, 1, *table);
  table->each(0, table->config().capacity,
              [&r](const Key &key, const uint8_t *bytes, uint8_t timer) {
                if (!r.full()) r(key, bytes, timer);
              });
  return Napi::Number::New(env, r.count);
}

// scan(table, from, entries, out): the records of a range of entries; `out` must hold as many rows.
Napi::Value scan(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  Rows r = rows(info, 3, *table);
  table->each(info[1].ToNumber().Uint32Value(), info[2].ToNumber().Uint32Value(),
              [&r](const Key &key, const uint8_t *bytes, uint8_t timer) {
                if (!r.full()) r(key, bytes, timer);
              });
  return Napi::Number::New(env, r.count);
}

Key key_argument(const Napi::CallbackInfo &info, size_t at) {
  Key key{};
  const auto bytes = info[at].As<Napi::Uint8Array>();
  if (bytes.ByteLength() >= sizeof key) std::memcpy(&key, bytes.Data(), sizeof key);
  return key;
}

// read(table, key, out): the record's timer byte, or -1.
Napi::Value read(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  const Key key = key_argument(info, 1);
  auto out = info[2].As<Napi::Uint8Array>();
  uint8_t timer = 0;
  Entry *e = table->find(table->hash(key), key);
  const bool found = e && out.ByteLength() >= table->config().record_size &&
                     table->read(e, key, out.Data(), &timer) != 0;
  return Napi::Number::New(env, found ? timer : -1);
}

// put(lane, table, key, record, timer, nowMilliseconds): creates or replaces; false when full.
Napi::Value put(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto lane = item(info, 0, environment(env).lanes, "lane");
  auto table = lane ? item(info, 1, environment(env).tables, "table") : nullptr;
  if (!table) return env.Undefined();
  const Key key = key_argument(info, 2);
  const auto record = info[3].As<Napi::Uint8Array>();
  if (record.ByteLength() < table->config().record_size) return Napi::Boolean::New(env, false);
  const auto timer = static_cast<uint8_t>(info[4].ToNumber().Uint32Value());
  const uint32_t now = info[5].ToNumber().Uint32Value();
  const uint64_t h = table->hash(key);
  for (int tries = 0; tries < 16; tries++) {  // another writer may win a round; not sixteen
    Entry *e = nullptr;
    Outcome o = table->insert(h, key, record.Data(), timer, lane->writer().version(), now, &e);
    if (o == Outcome::lost) {
      const uint64_t expected = e->version.load(std::memory_order_acquire) & ~uint64_t{1};
      o = table->swap(h, key, expected, record.Data(), timer, lane->writer().version(), now, &e);
    }
    if (o == Outcome::won) return Napi::Boolean::New(env, true);
    if (o == Outcome::full) break;
  }
  return Napi::Boolean::New(env, false);
}

Napi::Value remove(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  const Key key = key_argument(info, 1);
  return Napi::Boolean::New(env, table->remove(table->hash(key), key, 0) == Outcome::won);
}

// confirm(table, claims, count): lets go of claimed records; returns how many claims still held.
Napi::Value confirm(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  auto claims = info[1].As<Napi::Uint32Array>();
  const uint32_t count = info[2].ToNumber().Uint32Value();
  uint32_t held = 0;
  for (uint32_t i = 0; i < count && i < claims.ElementLength(); i++)
    held += table->confirm(claims[i]);
  return Napi::Number::New(env, held);
}

// Adds doubles at some offsets of a record, which is created as given where it is absent.
bool add_to(Lane &lane, Table &table, const uint8_t *row, uint32_t now, const uint32_t *offsets,
            size_t count) {
  alignas(8) static thread_local uint8_t sum[Table::max_record];
  const uint8_t *delta = row + 24;
  Key key;
  std::memcpy(&key, row, sizeof key);
  const uint64_t h = table.hash(key);
  for (int tries = 0; tries < 64; tries++) {  // each lost round is a write of another
    Entry *e = table.find(h, key);
    uint8_t timer = row[16];
    const uint64_t expected = e ? table.read(e, key, sum, &timer) : 0;
    Outcome o;
    if (expected == 0) {
      o = table.insert(h, key, delta, row[16], lane.writer().version(), now, &e);
    } else {
      for (size_t i = 0; i < count; i++) {
        double a, b;
        std::memcpy(&a, sum + offsets[i], sizeof a);
        std::memcpy(&b, delta + offsets[i], sizeof b);
        a += b;
        std::memcpy(sum + offsets[i], &a, sizeof a);
      }
      o = table.swap(h, key, expected, sum, timer, lane.writer().version(), now, &e);
    }
    if (o == Outcome::won) return true;
    if (o == Outcome::full || o == Outcome::busy) return false;
  }
  return false;
}

// add(lane, table, rows, count, nowMilliseconds, offsets, added): see add_to; `added` gets a byte
// per row.
Napi::Value add_records(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto lane = item(info, 0, environment(env).lanes, "lane");
  auto table = lane ? item(info, 1, environment(env).tables, "table") : nullptr;
  if (!table) return env.Undefined();
  const Rows r = rows(info, 2, *table);
  const uint32_t count = info[3].ToNumber().Uint32Value();
  const uint32_t now = info[4].ToNumber().Uint32Value();
  const auto offsets = info[5].As<Napi::Uint32Array>();
  auto added = info[6].As<Napi::Uint8Array>();
  for (size_t i = 0; i < offsets.ElementLength(); i++)
    if (offsets[i] + sizeof(double) > r.record) return env.Undefined();
  for (uint32_t i = 0; i < count && i < r.limit && i < added.ByteLength(); i++)
    added[i] = add_to(*lane, *table, r.out + size_t{i} * r.stride, now, offsets.Data(),
                      offsets.ElementLength());
  return env.Undefined();
}

// Removes a record that is still the one given.
bool discard_one(Table &table, uint64_t h, const Key &key, const uint8_t *record) {
  alignas(8) static thread_local uint8_t copy[Table::max_record];
  Entry *e = table.find(h, key);
  uint8_t timer = 0;
  const uint64_t version = e ? table.read(e, key, copy, &timer) : 0;
  return version != 0 && std::memcmp(copy, record, table.config().record_size) == 0 &&
         table.remove(h, key, version) == Outcome::won;
}

// discard(table, rows, count, removed): removes each of the rows (laid out as above) whose record
// is still the one given; `removed` gets a byte per row.
Napi::Value discard(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  const Rows r = rows(info, 1, *table);
  auto removed = info[3].As<Napi::Uint8Array>();
  const uint32_t asked = info[2].ToNumber().Uint32Value();
  const auto fit = static_cast<uint32_t>(std::min<size_t>(r.limit, removed.ByteLength()));
  const uint32_t count = std::min(asked, fit);
  constexpr uint32_t group = 32;  // rows whose lines are fetched together
  for (uint32_t from = 0; from < count; from += group) {
    const uint32_t rows_here = std::min(group, count - from);
    const uint8_t *row = r.out + size_t{from} * r.stride;
    Key keys[group];
    uint64_t hashes[group];
    for (uint32_t i = 0; i < rows_here; i++) {
      std::memcpy(&keys[i], row + size_t{i} * r.stride, sizeof(Key));
      hashes[i] = table->hash(keys[i]);
      table->prefetch(hashes[i]);
    }
    for (uint32_t i = 0; i < rows_here; i++) table->candidate(hashes[i]);
    for (uint32_t i = 0; i < rows_here; i++, row += r.stride)
      removed[from + i] = discard_one(*table, hashes[i], keys[i], row + 24);
  }
  return env.Undefined();
}

// fetch(table, rows, count, found): reads each row's record by its key; `found` gets a byte per
// row.
Napi::Value fetch(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto table = item(info, 0, environment(env).tables, "table");
  if (!table) return env.Undefined();
  const Rows r = rows(info, 1, *table);
  auto found = info[3].As<Napi::Uint8Array>();
  const uint32_t count = info[2].ToNumber().Uint32Value();
  for (uint32_t i = 0; i < count && i < r.limit && i < found.ByteLength(); i++) {
    uint8_t *row = r.out + size_t{i} * r.stride;
    Key key;
    std::memcpy(&key, row, sizeof key);
    Entry *e = table->find(table->hash(key), key);
    uint8_t timer = 0;
    found[i] = e && table->read(e, key, row + 24, &timer) != 0;
  }
  return env.Undefined();
}

}  // namespace

void export_tables(Napi::Env env, Napi::Object exports) {
  exports.Set("openTable", Napi::Function::New<open>(env));
  exports.Set("closeTable", Napi::Function::New<close>(env));
  exports.Set("tableSize", Napi::Function::New<size>(env));
  exports.Set("fetchRecords", Napi::Function::New<fetch>(env));
  exports.Set("tableExtent", Napi::Function::New<extent>(env));
  exports.Set("sweepTable", Napi::Function::New<sweep>(env));
  exports.Set("confirmClaims", Napi::Function::New<confirm>(env));
  exports.Set("dumpTable", Napi::Function::New<dump>(env));
  exports.Set("scanTable", Napi::Function::New<scan>(env));
  exports.Set("readRecord", Napi::Function::New<read>(env));
  exports.Set("putRecord", Napi::Function::New<put>(env));
  exports.Set("addRecords", Napi::Function::New<add_records>(env));
  exports.Set("discardRecords", Napi::Function::New<discard>(env));
  exports.Set("removeRecord", Napi::Function::New<remove>(env));
}

}  // namespace rxnf::addon

#include "batch.h"

namespace rxnf {
namespace {

constexpr uint32_t align64(uint32_t n) { return (n + 63) & ~63u; }

// The order of these lists is the layout; `at` walks it again in the same order.
struct Walk {
  uint8_t *base;
  uint32_t capacity, offset = 0;
  std::vector<Column> *columns;
  std::string prefix;

  template <typename T>
  T *take(const char *name, uint32_t stride = sizeof(T)) {
    auto *p = base ? reinterpret_cast<T *>(base + offset) : nullptr;
    if (columns) columns->push_back({prefix + name, offset, stride});
    offset = align64(offset + stride * capacity);
    return p;
  }
};

void walk(Walk &w, const std::vector<uint32_t> &strides, Batch &b) {
  b.capacity = w.capacity;
  b.header = reinterpret_cast<BatchHeader *>(w.base);
  w.offset = sizeof(BatchHeader);
  b.handle = w.take<uint32_t>("handle");
  b.data = w.take<uint32_t>("data");
  b.length = w.take<uint32_t>("length");
  b.traits = w.take<uint32_t>("traits");
  b.verdict = w.take<int32_t>("verdict");
  b.ingress = w.take<uint8_t>("ingress");
  b.edits = w.take<uint8_t>("edits");
  b.l3 = w.take<uint16_t>("l3");
  b.l4 = w.take<uint16_t>("l4");
  b.flow = w.take<Flow>("flow");
  b.new_source = w.take<uint32_t>("newSource");
  b.new_destination = w.take<uint32_t>("newDestination");
  b.new_source_port = w.take<uint16_t>("newSourcePort");
  b.new_destination_port = w.take<uint16_t>("newDestinationPort");
  b.link = w.take<LinkAddresses>("link");
  b.egress = w.take<uint8_t>("egress");
  b.exception = w.take<uint16_t>("exception");
  b.exception_code = w.take<uint8_t>("exceptionCode");
  for (size_t i = 0; i < strides.size(); i++) {
    Register &r = b.registers[i];
    r.stride = strides[i];
    w.prefix = std::string("r").append(std::to_string(i)).append(".");
    r.state = w.take<uint8_t>("state");
    r.write = w.take<uint8_t>("write");
    r.timer = w.take<uint8_t>("timer");
    r.leader = w.take<uint16_t>("leader");
    r.key = w.take<Key>("key");
    r.version = w.take<uint64_t>("version");
    r.record = w.take<uint8_t>("record", r.stride);
    r.next = w.take<uint8_t>("next", r.stride);
    r.attended = w.take<uint16_t>("attended");
    r.staged = w.take<uint16_t>("staged");
    r.lost = w.take<uint16_t>("lost");
  }
}

}  // namespace

BatchLayout::BatchLayout(uint32_t rows, const std::vector<uint32_t> &record_strides)
    : capacity(rows), strides(record_strides) {
  Batch ignored;
  Walk w{nullptr, rows, 0, &columns, ""};
  walk(w, strides, ignored);
  size = w.offset;
}

Batch BatchLayout::at(uint8_t *block, uint32_t index) const {
  Batch b{};
  Walk w{block + static_cast<size_t>(index) * size, capacity, 0, nullptr, ""};
  walk(w, strides, b);
  return b;
}

}  // namespace rxnf

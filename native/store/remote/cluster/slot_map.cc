#include "store/remote/cluster/slot_map.h"

#include <algorithm>

#include "store/remote/resp.h"

namespace rxnf::cluster {
namespace {

using resp::Kind;
using resp::Reader;
using resp::Token;

// Pulls tokens of one reply that is all there.
class Reply {
 public:
  Reply(const uint8_t *at, size_t size) : at_(at), end_(at + size) {}

  bool next(Token &t) { return reader_.next(at_, end_, t) == Reader::Step::token; }
  bool array(int64_t &elements) {
    Token t;
    if (!next(t) || t.kind != Kind::array || t.value < 0) return false;
    elements = t.value;
    return true;
  }
  bool number(int64_t &value, int64_t low, int64_t high) {
    Token t;
    if (!next(t) || t.kind != Kind::number) return false;
    value = t.value;
    return value >= low && value <= high;
  }
  // A blob, a line or null, which is empty.
  bool text(std::string_view &value) {
    Token t;
    if (!next(t)) return false;
    value = t.text();
    if (t.kind == Kind::null) value = {};
    return t.kind == Kind::blob || t.kind == Kind::text || t.kind == Kind::null;
  }
  // Passes over a value with everything in it.
  bool skip() {
    for (int64_t left = 1; left > 0; left--) {
      Token t;
      if (!next(t)) return false;
      const bool aggregate = t.kind == Kind::array || t.kind == Kind::map || t.kind == Kind::set;
      if (aggregate && t.value < 0) return false;
      if (aggregate) left += t.value;
    }
    return true;
  }
  bool done() const { return reader_.whole() && at_ == end_; }

 private:
  Reader reader_;
  const uint8_t *at_, *end_;
};

}  // namespace

// [[first, last, [host, port, id, ...], replicas...], ...]
bool SlotMap::read(const uint8_t *reply, size_t size, std::string_view asked) {
  SlotMap fresh;
  fresh.nodes_ = nodes_;
  Reply r(reply, size);
  int64_t ranges = 0;
  if (!r.array(ranges)) return false;
  for (int64_t n = 0; n < ranges; n++) {
    int64_t elements, first, last, fields, port;
    std::string_view host;
    if (!r.array(elements) || elements < 3 || !r.number(first, 0, slot_count - 1) ||
        !r.number(last, first, slot_count - 1) || !r.array(fields) || fields < 2 || !r.text(host) ||
        !r.number(port, 1, 65535))
      return false;
    for (int64_t k = 2; k < fields; k++)
      if (!r.skip()) return false;
    for (int64_t k = 3; k < elements; k++)
      if (!r.skip()) return false;
    if (host.empty() || host == "?") host = asked;
    const uint16_t node = fresh.add(host, static_cast<uint16_t>(port));
    if (node == no_node) return false;
    std::fill(fresh.owner_.begin() + first, fresh.owner_.begin() + last + 1, node);
  }
  if (!r.done()) return false;
  fresh.stale_ = false;
  *this = std::move(fresh);
  return true;
}

bool SlotMap::move(uint32_t slot, std::string_view host, uint16_t port) {
  const uint16_t node = add(host, port);
  if (slot >= slot_count || node == no_node) return false;
  owner_[slot] = node;
  stale_ = true;
  return true;
}

std::vector<bool> SlotMap::owners() const {
  std::vector<bool> owners(nodes_.size());
  for (const uint16_t n : owner_)
    if (n != no_node) owners[n] = true;
  return owners;
}

uint32_t SlotMap::unowned() const {
  return static_cast<uint32_t>(std::count(owner_.begin(), owner_.end(), no_node));
}

uint16_t SlotMap::add(std::string_view host, uint16_t port) {
  for (size_t i = 0; i < nodes_.size(); i++)
    if (nodes_[i].port == port && nodes_[i].host == host) return static_cast<uint16_t>(i);
  if (nodes_.size() >= max_nodes) return no_node;
  nodes_.push_back({std::string(host), port});
  return static_cast<uint16_t>(nodes_.size() - 1);
}

}  // namespace rxnf::cluster

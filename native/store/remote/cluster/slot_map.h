// Which node owns each slot of a cluster, as its nodes last said.
//
// Read whole from a reply to CLUSTER SLOTS; a MOVED in between changes one slot and makes the map
// `stale`, so that its owner asks again. Nodes keep their index while the map lives: connections
// are kept by it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/remote/cluster/slot.h"

namespace rxnf::cluster {

struct Node {
  std::string host;
  uint16_t port;
  bool operator==(const Node &) const = default;
};

class SlotMap {
 public:
  static constexpr uint16_t no_node = 0xffff;
  static constexpr uint32_t max_nodes = 1024;  // several times the largest cluster recommended

  SlotMap() { owner_.fill(no_node); }

  // Takes over a whole reply to CLUSTER SLOTS. False, and nothing changed, when it is not one.
  // `asked` stands in for a node that does not know its own host.
  bool read(const uint8_t *reply, size_t size, std::string_view asked);

  // After MOVED. False when there are too many nodes.
  bool move(uint32_t slot, std::string_view host, uint16_t port);

  // A node that may own nothing yet; `no_node` when there are too many.
  uint16_t add(std::string_view host, uint16_t port);

  uint16_t owner(uint32_t slot) const { return owner_[slot]; }
  const Node &node(uint16_t index) const { return nodes_[index]; }
  size_t nodes() const { return nodes_.size(); }
  // Which nodes own a slot, by their index.
  std::vector<bool> owners() const;
  // Slots that no node owns.
  uint32_t unowned() const;
  bool stale() const { return stale_; }

 private:
  std::array<uint16_t, slot_count> owner_;
  std::vector<Node> nodes_;
  bool stale_ = true;
};

}  // namespace rxnf::cluster

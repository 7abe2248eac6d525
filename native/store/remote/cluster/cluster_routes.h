// The nodes of a cluster: each request goes to the primary that owns its partition's slot.
//
// The map of slots is asked of the nodes, one after the other, at the start, after a MOVED, and
// while the owner of a partition cannot be reached. A request that its node refuses to serve has
// not been performed: it goes where the node says (MOVED, ASK), or to the owner a little later (all
// others), until it is due. One whose connection was lost goes to the same node again, or comes
// back: what became of it is known nowhere else.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/remote/cluster/asking.h"
#include "store/remote/cluster/refusal.h"
#include "store/remote/cluster/slot_map.h"
#include "store/remote/routes.h"

namespace rxnf::remote {

class ClusterRoutes : public Routes {
 public:
  // `seeds`: nodes that know the others, one at least.
  ClusterRoutes(const ConnectionOptions &options, const std::vector<cluster::Node> &seeds,
                uint32_t partitions, uint32_t writer);
  ~ClusterRoutes() override;

  uint32_t groups() const override { return static_cast<uint32_t>(slots_.size()); }
  uint32_t group(uint32_t partition) const override { return partition; }
  bool names_all_keys() const override { return true; }
  void submit(uint32_t group, Request &request, uint64_t now_ns) override;
  bool is_away(uint32_t group) const override;
  uint64_t server_ms(uint32_t group, uint64_t now_ns) const override;
  Prover &prover(uint32_t group) override;
  void poll(uint64_t now_ns) override;
  void redirect(const std::string &, uint16_t, uint64_t) override {}  // MOVED says more
  RoutesStatus status() const override;
  void watch(std::vector<pollfd> &out) const override;
  void close() override;

 private:
  struct Node;
  class MapRequest;
  struct Waiting {
    Request *request;
    uint64_t again_ns;
  };

  static constexpr uint64_t wait_ns = 5'000'000;   // before a request that no node serves is tried
  static constexpr uint64_t ask_ns = 100'000'000;  // between two questions for the map

  uint16_t owner(uint32_t group) const;
  Node &node(uint16_t index);
  Node &node_of(uint32_t group) { return node(owner(group)); }
  bool take(Node &from, Request &request, const std::string &error, uint64_t now_ns);
  void wait(Request &request, uint64_t now_ns);
  Asking &asking();
  void poll_waiting(uint64_t now_ns);
  void poll_map(uint64_t now_ns);
  void let_go();

  const ConnectionOptions options_;
  const uint32_t writer_;
  cluster::SlotMap map_;
  std::vector<uint16_t> slots_;               // by group
  std::vector<std::unique_ptr<Node>> nodes_;  // by their index in the map; null: not connected
  std::vector<Waiting> waiting_, due_;
  std::vector<std::unique_ptr<Asking>> asking_;
  std::unique_ptr<MapRequest> map_request_;
  uint64_t ask_at_ns_ = 0;
  uint16_t ask_next_ = 0;
  bool is_read_ = false, has_changed_ = false, closed_ = false;
};

}  // namespace rxnf::remote

// One lane's client of a store: its connections, the tables it works on, and what is under way.
//
// Polled by the lane. What has come to an end is listed in `events`, batches of one operation in
// the order of their starting.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "lane/lane.h"
#include "store/remote/call.h"
#include "store/remote/cluster/slot_map.h"
#include "store/remote/lookup.h"
#include "store/remote/refresh.h"
#include "store/remote/routes.h"
#include "store/remote/write.h"

namespace rxnf::remote {

struct Event {
  enum class Kind : int32_t { batch = 0, reply = 1, failure = 2 };
  Kind kind;
  int32_t id;            // of the operation or the call
  int32_t offset, size;  // of a reply, in words of `replies`; of a failure its Fate
};

class Client {
 public:
  static constexpr uint32_t max_calls = 64;
  static constexpr uint32_t max_tables = 32;
  // Every batch of the lane in one operation, and every call.
  static constexpr uint32_t max_events = max_batches + max_calls;
  static constexpr size_t reply_words = 256 << 10;

  // `nodes`: of a cluster, some that are known; none: a server by itself.
  Client(std::shared_ptr<Lane> lane, const ConnectionOptions &options,
         const std::vector<cluster::Node> &nodes, uint32_t partitions, const Reasons &reasons);
  ~Client();

  // Numbers for what follows; -1 when there are too many.
  int32_t add_table(const std::string &name, const Schema &schema, uint32_t partition_capacity);
  int32_t add_lookup(uint32_t table, const LookupConfig &config);
  int32_t add_write(uint32_t table, uint32_t reg);

  bool has_operation(uint32_t operation) const { return operation < operations_.size(); }
  bool has_table(uint32_t table) const { return table < tables_.size(); }
  Lane &lane() { return *lane_; }
  int32_t start(uint32_t operation, uint32_t batch) {
    return operations_[operation]->start(batch, now_ns());
  }
  void cancel(uint32_t operation, uint32_t flight) { operations_[operation]->cancel(flight); }
  // Sends a command to whoever serves a partition; -1 when too many are under way.
  // `replicas`: its reply is to lie on so many; then the command must not change anything.
  int32_t call(uint32_t partition, const uint8_t *command, size_t size, uint32_t replicas);

  // Returns the number of events.
  uint32_t poll();
  // Returns when a server has something for us, and after so long at the latest.
  void wait(uint32_t microseconds);
  // The primary is elsewhere.
  void redirect(const std::string &host, uint16_t port) { routes_->redirect(host, port, now_ns()); }
  void close() { routes_->close(); }

  Event *events() { return events_.data(); }
  uint32_t *replies() { return replies_.get(); }
  RoutesStatus status() const { return routes_->status(); }
  uint32_t partitions() const { return partitions_; }
  uint32_t group(uint32_t partition) const { return routes_->group(partition); }
  uint64_t now_ns() const { return static_cast<uint64_t>(lane_->counters().tick_ns); }

 private:
  struct Table {
    Table(Routes &routes, const std::string &name, const Schema &s, uint32_t partitions,
          uint32_t capacity)
        : keys(name, partitions),
          schema(s),
          partition_capacity(capacity),
          refresher(routes, keys, s) {}
    const KeySpace keys;
    const Schema schema;
    const uint32_t partition_capacity;
    Refresher refresher;
  };

  void send_queued();
  void deliver(uint32_t &events);

  const std::shared_ptr<Lane> lane_;
  const uint32_t partitions_;
  const Reasons reasons_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::array<Call, max_calls> calls_;
  std::vector<uint32_t> queued_;    // calls in the order of their making
  std::vector<int32_t> under_way_;  // by group: its call, where they go one after the other
  std::unique_ptr<Routes> routes_;  // goes first: it settles what is under way
  std::vector<pollfd> watched_;
  std::array<Event, max_events> events_;
  std::unique_ptr<uint32_t[]> replies_{new uint32_t[reply_words]};
};

}  // namespace rxnf::remote

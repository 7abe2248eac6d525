#include "store/remote/client.h"

#include "store/remote/cluster/cluster_routes.h"

namespace rxnf::remote {

namespace {

std::unique_ptr<Routes> routes_to(const ConnectionOptions &options,
                                  const std::vector<cluster::Node> &nodes, uint32_t partitions,
                                  uint32_t writer) {
  if (nodes.empty()) return std::make_unique<OneServer>(options, writer);
  return std::make_unique<ClusterRoutes>(options, nodes, partitions, writer);
}

}  // namespace

Client::Client(std::shared_ptr<Lane> lane, const ConnectionOptions &options,
               const std::vector<cluster::Node> &nodes, uint32_t partitions, const Reasons &reasons)
    : lane_(std::move(lane)),
      partitions_(partitions),
      reasons_(reasons),
      routes_(routes_to(options, nodes, partitions, lane_->writer().number())) {
  queued_.reserve(max_calls);
  under_way_.assign(routes_->groups(), -1);
}

Client::~Client() { routes_->close(); }

int32_t Client::add_table(const std::string &name, const Schema &schema,
                          uint32_t partition_capacity) {
  if (tables_.size() == max_tables || name.size() > max_table_name) return -1;
  tables_.push_back(
      std::make_unique<Table>(*routes_, name, schema, partitions_, partition_capacity));
  return static_cast<int32_t>(tables_.size() - 1);
}

int32_t Client::add_lookup(uint32_t table, const LookupConfig &config) {
  Table &t = *tables_[table];
  operations_.push_back(std::make_unique<RemoteLookup>(*lane_, *routes_, t.refresher, t.keys,
                                                       t.schema, config, reasons_));
  return static_cast<int32_t>(operations_.size() - 1);
}

int32_t Client::add_write(uint32_t table, uint32_t reg) {
  Table &t = *tables_[table];
  operations_.push_back(std::make_unique<RemoteWrite>(*lane_, *routes_, t.keys, t.schema, reg,
                                                      t.partition_capacity, reasons_));
  return static_cast<int32_t>(operations_.size() - 1);
}

int32_t Client::call(uint32_t partition, const uint8_t *command, size_t size, uint32_t replicas) {
  for (uint32_t i = 0; i < max_calls; i++) {
    if (calls_[i].state() != Call::State::free) continue;
    Call &call = calls_[i];
    call.prepare(command, size, partition);
    call.replicas = replicas;
    if (replicas > 0) {
      call.go();
      routes_->prover(routes_->group(partition)).prove(call);
    } else {
      queued_.push_back(i);
      send_queued();
    }
    return static_cast<int32_t>(i);
  }
  return -1;
}

// On a cluster a group's calls go one after the other: nodes that refuse some would change their
// order, and the numbers of additions count on it.
void Client::send_queued() {
  const bool in_turn = routes_->names_all_keys();
  size_t kept = 0;
  for (const uint32_t id : queued_) {
    Call &call = calls_[id];
    const uint32_t group = routes_->group(call.partition());
    int32_t &before = under_way_[group];
    if (in_turn && before >= 0 && calls_[static_cast<size_t>(before)].state() == Call::State::out) {
      queued_[kept++] = id;
      continue;
    }
    before = static_cast<int32_t>(id);
    call.go();
    routes_->submit(group, call, now_ns());
  }
  queued_.resize(kept);
}

uint32_t Client::poll() {
  const uint64_t now = now_ns();
  for (Call &call : calls_)
    if (call.state() == Call::State::delivered) call.release();
  for (const auto &table : tables_) table->refresher.poll(now);
  routes_->poll(now);
  send_queued();
  uint32_t events = 0;
  for (uint32_t i = 0; i < operations_.size(); i++)
    while (events < max_batches && operations_[i]->finish())
      events_[events++] = {Event::Kind::batch, static_cast<int32_t>(i), 0, 0};
  deliver(events);
  return events;
}

void Client::wait(uint32_t microseconds) {
  watched_.clear();
  routes_->watch(watched_);
  const timespec limit{0, static_cast<long>(std::min(microseconds, 999'999u)) * 1000};
  ::ppoll(watched_.data(), watched_.size(), &limit, nullptr);
}

// Replies as far as there is room; the others with the next poll.
void Client::deliver(uint32_t &events) {
  size_t at = 0;
  for (uint32_t i = 0; i < max_calls; i++) {
    Call &call = calls_[i];
    const auto id = static_cast<int32_t>(i);
    if (call.state() == Call::State::failed ||
        (call.state() == Call::State::answered && call.words().size() > reply_words)) {
      events_[events++] = {Event::Kind::failure, id, 0, static_cast<int32_t>(call.fate())};
      call.deliver();
    } else if (call.state() == Call::State::answered && at + call.words().size() <= reply_words) {
      const size_t n = call.words().size();
      std::memcpy(replies_.get() + at, call.words().data(), n * sizeof(uint32_t));
      events_[events++] = {Event::Kind::reply, id, static_cast<int32_t>(at),
                           static_cast<int32_t>(n)};
      at += n;
      call.deliver();
    }
  }
}

}  // namespace rxnf::remote

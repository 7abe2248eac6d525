#include "store/remote/cluster/cluster_routes.h"

#include <algorithm>

namespace rxnf::remote {

using cluster::Refusal;
using cluster::SlotMap;

struct ClusterRoutes::Node : Referrals {
  Node(ClusterRoutes &of, const ConnectionOptions &o, uint16_t n)
      : routes(of), index(n), options(o), connection(options, this) {}
  bool take(Request &request, const std::string &error, uint64_t now_ns) override {
    return routes.take(*this, request, error, now_ns);
  }
  bool is_idle() const { return connection.waiting() == 0 && (!prover || prover->is_idle()); }

  ClusterRoutes &routes;
  const uint16_t index;
  const ConnectionOptions options;
  Connection connection;
  std::unique_ptr<Prover> prover;  // made with the first table that asks for replicas
};

// Asks a node for the map.
class ClusterRoutes::MapRequest : public Request {
 public:
  explicit MapRequest(ClusterRoutes &routes) : routes_(routes) {}

  void encode(Bytes &out) override {
    reply_.clear();
    append_command(out, "CLUSTER", "SLOTS");
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &) override {
    const uint8_t *const from = at;
    resp::Token t;
    for (;;) {
      const auto step = reader.next(at, end, t);
      const bool done = step == resp::Reader::Step::token && reader.whole();
      if (done || step == resp::Reader::Step::more)
        reply_.append(from, static_cast<size_t>(at - from));
      if (done) return Progress::whole;
      if (step == resp::Reader::Step::more) return Progress::more;
      if (step == resp::Reader::Step::broken) return Progress::broken;
    }
  }
  void settled(Fate fate) override {
    is_out_ = false;
    if (fate != Fate::answered || !routes_.map_.read(reply_.begin(), reply_.size(), host_)) return;
    routes_.is_read_ = routes_.has_changed_ = true;
  }
  bool is_out() const { return is_out_; }
  void go(Node &node, uint64_t now_ns) {
    is_out_ = true;
    host_ = node.options.endpoint.host;
    node.connection.submit(*this, now_ns);
  }

 private:
  ClusterRoutes &routes_;
  bool is_out_ = false;
  std::string host_;
  Bytes reply_{4096};
};

ClusterRoutes::ClusterRoutes(const ConnectionOptions &options,
                             const std::vector<cluster::Node> &seeds, uint32_t partitions,
                             uint32_t writer)
    : options_(options), writer_(writer), map_request_(std::make_unique<MapRequest>(*this)) {
  for (uint32_t p = 0; p < partitions; p++)
    slots_.push_back(static_cast<uint16_t>(cluster::slot_of(partition_tag(p))));
  for (const cluster::Node &seed : seeds) map_.add(seed.host, seed.port);
}

ClusterRoutes::~ClusterRoutes() { close(); }

void ClusterRoutes::close() {
  closed_ = true;
  for (const auto &n : nodes_)
    if (n) {
      n->connection.close();
      if (n->prover) n->prover->close();
    }
  for (const Waiting &w : waiting_) w.request->settled(Fate::unsent);
  waiting_.clear();
}

// Before the map is known any node will do: it says who the owner is.
uint16_t ClusterRoutes::owner(uint32_t group) const {
  const uint16_t n = map_.owner(slots_[group]);
  return n == SlotMap::no_node ? 0 : n;
}

ClusterRoutes::Node &ClusterRoutes::node(uint16_t index) {
  if (nodes_.size() <= index) nodes_.resize(index + size_t{1});
  if (!nodes_[index]) {
    ConnectionOptions options = options_;
    options.endpoint.host = map_.node(index).host;
    options.endpoint.port = map_.node(index).port;
    nodes_[index] = std::make_unique<Node>(*this, options, index);
    if (closed_) nodes_[index]->connection.close();
  }
  return *nodes_[index];
}

void ClusterRoutes::submit(uint32_t group, Request &request, uint64_t now_ns) {
  request.group = group;
  node_of(group).connection.submit(request, now_ns);
}

bool ClusterRoutes::is_away(uint32_t group) const {
  const uint16_t n = owner(group);
  return n < nodes_.size() && nodes_[n] && nodes_[n]->connection.is_away();
}

uint64_t ClusterRoutes::server_ms(uint32_t group, uint64_t now_ns) const {
  const uint16_t n = owner(group);
  return n < nodes_.size() && nodes_[n] ? nodes_[n]->connection.server_ms(now_ns) : 0;
}

Prover &ClusterRoutes::prover(uint32_t group) {
  Node &n = node_of(group);
  if (!n.prover) n.prover = std::make_unique<Prover>(n.options, writer_);
  return *n.prover;
}

RoutesStatus ClusterRoutes::status() const {
  RoutesStatus s;
  s.ready = is_read_;
  for (uint32_t g = 0; g < groups(); g++) {
    const uint16_t n = map_.owner(slots_[g]);
    const bool ready =
        n < nodes_.size() && nodes_[n] && nodes_[n]->connection.state() == Connection::State::ready;
    s.ready &= ready;
    if (n == SlotMap::no_node) s.problem = "no node owns slot " + std::to_string(slots_[g]);
  }
  for (const auto &n : nodes_)
    if (n) s.add(n->connection);
  return s;
}

void ClusterRoutes::watch(std::vector<pollfd> &out) const {
  for (const auto &n : nodes_) {
    if (!n) continue;
    watch_connection(n->connection, out);
    if (n->prover) watch_connection(n->prover->connection(), out);
  }
}

// Not performed since it was encoded; if it was a repetition, the attempt before may have been.
bool ClusterRoutes::take(Node &from, Request &request, const std::string &error, uint64_t now_ns) {
  const cluster::Redirection r = cluster::read_refusal(error);
  if (!cluster::is_for_another_node(r.refusal)) return false;
  request.sent_once = request.repeated;
  Request &asked = request.unwrap();
  asked.sent_once = request.sent_once;
  const std::string host(r.host.empty() ? std::string_view(from.options.endpoint.host) : r.host);
  if (r.refusal == Refusal::moved && map_.move(r.slot, host, r.port)) {
    node(map_.owner(r.slot)).connection.forward(asked, now_ns);
  } else if (const uint16_t to =
                 r.refusal == Refusal::ask ? map_.add(host, r.port) : SlotMap::no_node;
             to != SlotMap::no_node) {
    Asking &wrapped = asking();
    wrapped.wrap(asked);
    node(to).connection.forward(wrapped, now_ns);
  } else if (r.refusal == Refusal::try_again && asked.asks_otherwise) {
    asked.asks_otherwise = false;
    node_of(asked.group).connection.forward(asked, now_ns);
  } else {
    wait(asked, now_ns);
  }
  return true;
}

void ClusterRoutes::wait(Request &request, uint64_t now_ns) {
  waiting_.push_back({&request, now_ns + wait_ns});
}

Asking &ClusterRoutes::asking() {
  for (const auto &a : asking_)
    if (a->is_free()) return *a;
  return *asking_.emplace_back(std::make_unique<Asking>());
}

void ClusterRoutes::poll(uint64_t now_ns) {
  if (closed_) return;
  for (size_t i = 0; i < nodes_.size(); i++) {  // more may come while this goes on
    if (!nodes_[i]) continue;
    nodes_[i]->connection.poll(now_ns);
    if (nodes_[i]->prover) nodes_[i]->prover->poll(now_ns);
  }
  poll_waiting(now_ns);
  poll_map(now_ns);
  if (has_changed_) let_go();
}

// Those that are due come back from `forward`.
void ClusterRoutes::poll_waiting(uint64_t now_ns) {
  if (waiting_.empty() || now_ns < waiting_.front().again_ns) return;
  const auto end = std::find_if(waiting_.begin(), waiting_.end(),
                                [&](const Waiting &w) { return now_ns < w.again_ns; });
  due_.assign(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  for (const Waiting &w : due_) node_of(w.request->group).connection.forward(*w.request, now_ns);
}

void ClusterRoutes::poll_map(uint64_t now_ns) {
  if (map_request_->is_out() || now_ns < ask_at_ns_) return;
  bool is_wanted = map_.stale();
  for (uint32_t g = 0; g < groups() && !is_wanted; g++) {
    is_wanted = is_away(g) || map_.owner(slots_[g]) == SlotMap::no_node;
    node_of(g);  // connects
  }
  if (!is_wanted) return;
  // The next one that answers; the others are connected to meanwhile.
  for (size_t tries = 0; tries < map_.nodes(); tries++) {
    Node &asked = node(static_cast<uint16_t>(ask_next_++ % map_.nodes()));
    if (asked.connection.state() != Connection::State::ready) continue;
    ask_at_ns_ = now_ns + ask_ns;
    return map_request_->go(asked, now_ns);
  }
}

// Connections to nodes that own nothing any more.
void ClusterRoutes::let_go() {
  has_changed_ = false;
  const std::vector<bool> owns = map_.owners();
  for (const auto &n : nodes_) {
    if (!n || owns[n->index]) continue;
    if (n->is_idle())
      nodes_[n->index].reset();
    else
      has_changed_ = true;
  }
}

}  // namespace rxnf::remote

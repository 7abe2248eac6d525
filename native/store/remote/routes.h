// Which connection serves which partition.
//
// One server serves all of them, and one request may name keys of several. On a cluster each
// partition is a group of its own, whose requests go to the owner of its slot
// (cluster/cluster_routes.h).
#pragma once
#include <poll.h>

#include <vector>

#include "store/remote/connection.h"
#include "store/remote/prover.h"

namespace rxnf::remote {

struct RoutesStatus {
  bool ready = true;    // every partition can be reached
  std::string problem;  // why not
  size_t waiting = 0;
  ConnectionCounters counters{};

  void add(const Connection &connection) {
    waiting += connection.waiting();
    counters += connection.counters();
    if (problem.empty()) problem = connection.problem();
  }
};

inline void watch_connection(const Connection &connection, std::vector<pollfd> &out) {
  const auto events = static_cast<short>(connection.is_sending() ? POLLIN | POLLOUT : POLLIN);
  if (connection.descriptor() >= 0) out.push_back({connection.descriptor(), events, 0});
}

class Routes {
 public:
  virtual ~Routes() = default;
  // Requests that one batch becomes at the most.
  virtual uint32_t groups() const = 0;
  virtual uint32_t group(uint32_t partition) const = 0;
  // True where a request has to name every key that it touches, those that its records' names imply
  // among them: they may be on their way to another node.
  virtual bool names_all_keys() const = 0;

  virtual void submit(uint32_t group, Request &request, uint64_t now_ns) = 0;
  // Requests would come back at once.
  virtual bool is_away(uint32_t group) const = 0;
  // The clock of who serves a group; 0 while it is not known.
  virtual uint64_t server_ms(uint32_t group, uint64_t now_ns) const = 0;
  virtual Prover &prover(uint32_t group) = 0;

  virtual void poll(uint64_t now_ns) = 0;
  // The primary is elsewhere.
  virtual void redirect(const std::string &host, uint16_t port, uint64_t now_ns) = 0;
  virtual RoutesStatus status() const = 0;
  // Appends the descriptors that become ready when there is something to do.
  virtual void watch(std::vector<pollfd> &out) const = 0;
  virtual void close() = 0;
};

class OneServer : public Routes {
 public:
  OneServer(const ConnectionOptions &options, uint32_t writer)
      : options_(options), writer_(writer), connection_(options) {}
  uint32_t groups() const override { return 1; }
  uint32_t group(uint32_t) const override { return 0; }
  bool names_all_keys() const override { return false; }
  void submit(uint32_t, Request &request, uint64_t now_ns) override {
    connection_.submit(request, now_ns);
  }
  bool is_away(uint32_t) const override { return connection_.is_away(); }
  uint64_t server_ms(uint32_t, uint64_t now_ns) const override {
    return connection_.server_ms(now_ns);
  }
  Prover &prover(uint32_t) override {
    if (!prover_) prover_ = std::make_unique<Prover>(options_, writer_);
    return *prover_;
  }
  void poll(uint64_t now_ns) override {
    connection_.poll(now_ns);
    if (prover_) prover_->poll(now_ns);
  }
  void redirect(const std::string &host, uint16_t port, uint64_t now_ns) override {
    options_.endpoint.host = host;
    options_.endpoint.port = port;
    connection_.redirect(host, port, now_ns);
    if (prover_) prover_->redirect(host, port, now_ns);
  }
  RoutesStatus status() const override {
    RoutesStatus s;
    s.ready = connection_.state() == Connection::State::ready;
    s.add(connection_);
    return s;
  }
  void watch(std::vector<pollfd> &out) const override {
    watch_connection(connection_, out);
    if (prover_) watch_connection(prover_->connection(), out);
  }
  void close() override {
    connection_.close();
    if (prover_) prover_->close();
  }

 private:
  ConnectionOptions options_;
  const uint32_t writer_;
  Connection connection_;
  std::unique_ptr<Prover> prover_;  // made with the first table that asks for replicas
};

}  // namespace rxnf::remote

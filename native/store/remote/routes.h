// Which connection serves which partition.
//
// One server serves all of them, and one request may name keys of several. On a cluster each
// partition is a group of its own, whose connection is the one of its slot's owner.
#pragma once
#include "store/remote/connection.h"
#include "store/remote/prover.h"

namespace rxnf::remote {

class Routes {
 public:
  virtual ~Routes() = default;
  // Requests that one batch becomes at the most.
  virtual uint32_t groups() const = 0;
  virtual uint32_t group(uint32_t partition) const = 0;
  virtual Connection &of(uint32_t group) = 0;
  virtual Prover &prover(uint32_t group) = 0;
  virtual void poll(uint64_t now_ns) = 0;
  virtual void redirect(const std::string &host, uint16_t port, uint64_t now_ns) = 0;
  virtual void close() = 0;
};

class OneServer : public Routes {
 public:
  OneServer(const ConnectionOptions &options, uint32_t writer)
      : options_(options), writer_(writer), connection_(options) {}
  uint32_t groups() const override { return 1; }
  uint32_t group(uint32_t) const override { return 0; }
  Connection &of(uint32_t) override { return connection_; }
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

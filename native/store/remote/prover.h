// Proves that what was read or written lies on enough replicas
// (docs/decisions/0007-state-outside.md, Commit).
//
//   FCALL_RO rxnf1_stand  do these versions stand on this primary? One for each proof
//   SET                   a write of our own: what was before it lies before it in replication
//   WAIT n                how many replicas have it
//
// on a connection of its own, since what follows a WAIT waits with it; one such round at a time,
// for everything that has gathered meanwhile. All of it goes to one primary, so a proof holds
// whoever answered the write. What is proved is marked, so that readers need not ask.
#pragma once
#include <memory>
#include <vector>

#include "store/remote/connection.h"
#include "store/remote/proof.h"

namespace rxnf::remote {

class Prover {
 public:
  Prover(const ConnectionOptions &options, uint32_t writer);
  ~Prover();

  void prove(Proof &proof) { waiting_.push_back(&proof); }
  // Versions that were proved, to be marked.
  void mark(const VersionsProof &proof);
  void poll(uint64_t now_ns);
  void redirect(const std::string &host, uint16_t port, uint64_t now_ns) {
    connection_.redirect(host, port, now_ns);
  }
  const Connection &connection() const { return connection_; }
  bool is_idle() const { return waiting_.empty() && connection_.waiting() == 0; }
  void close();

 private:
  class Round;
  class Mark;

  static constexpr size_t at_once = 64;  // proofs of a round
  static constexpr size_t marks = 4096;  // gathered; of more the next reader asks again

  void finish_round();

  Connection connection_;
  std::unique_ptr<Round> round_;
  std::unique_ptr<Mark> mark_;
  std::vector<Proof *> waiting_;
};

}  // namespace rxnf::remote

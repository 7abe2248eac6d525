// Why a server did not do what it was asked, as the first word of its error says.
#pragma once
#include <cstdint>
#include <string_view>

namespace rxnf::cluster {

enum class Refusal : uint8_t {
  moved,         // the slot has another owner: ask there, and learn it
  ask,           // this once, after ASKING: the slot is on its way there
  try_again,     // keys of one request are on both sides of a moving slot
  cluster_down,  // slots without an owner, or a majority that is away
  read_only,     // a replica: the primary is elsewhere now
  loading,       // reads its data from disk
  primary_down,  // a replica that has lost its primary and does not serve stale data
  no_replicas,   // fewer than min-replicas-to-write: refused, not written
  out_of_memory,
  busy,  // a function runs for too long
  denied,
  no_function,
  other
};

struct Redirection {
  Refusal refusal;
  uint32_t slot;
  std::string_view host;  // empty: the host that was asked
  uint16_t port;
};

// Reads an error's text, without its leading minus. A redirection that cannot be read is `other`.
Redirection read_refusal(std::string_view error);

// True where the same request may succeed elsewhere or a little later, and has not been performed.
constexpr bool may_be_repeated(Refusal r) {
  switch (r) {
    case Refusal::moved:
    case Refusal::ask:
    case Refusal::try_again:
    case Refusal::cluster_down:
    case Refusal::read_only:
    case Refusal::loading:
    case Refusal::primary_down:
    case Refusal::no_replicas:
    case Refusal::busy:
      return true;
    default:
      return false;
  }
}

// Said by nodes of clusters alone: another node serves the request, or this one a little later.
constexpr bool is_for_another_node(Refusal r) {
  switch (r) {
    case Refusal::moved:
    case Refusal::ask:
    case Refusal::try_again:
    case Refusal::cluster_down:
      return true;
    default:
      return false;
  }
}

}  // namespace rxnf::cluster

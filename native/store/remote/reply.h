// What requests have in common in reading their reply: what an error means for them.
#pragma once
#include <string>

#include "store/remote/cluster/refusal.h"
#include "store/remote/operation.h"
#include "store/remote/request.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

// True when the request is to be sent again; else `ending` says how it ended.
inline bool is_to_be_repeated(const resp::Token &error, Ending &ending, std::string &why) {
  const cluster::Refusal refusal = cluster::read_refusal(error.text()).refusal;
  if (cluster::may_be_repeated(refusal) || refusal == cluster::Refusal::no_function) {
    why = error.text();
    return true;
  }
  ending = refusal == cluster::Refusal::out_of_memory ? Ending::full : Ending::refused;
  return false;
}

// True where another node may know more.
inline bool is_elsewhere(const resp::Token &error) {
  return cluster::is_for_another_node(cluster::read_refusal(error.text()).refusal);
}

// True where the keys of a command are on both sides of a slot that moves.
inline bool is_split(const resp::Token &error) {
  return cluster::read_refusal(error.text()).refusal == cluster::Refusal::try_again;
}

// Reads a reply that nobody is interested in, beyond whether to ask again.
inline Request::Progress pass_over(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                                   std::string &why) {
  resp::Token t;
  for (;;) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Request::Progress::more;
    if (step == resp::Reader::Step::broken) return Request::Progress::broken;
    Ending ending;
    if (t.kind == resp::Kind::error && is_to_be_repeated(t, ending, why))
      return Request::Progress::again;
    if (reader.whole()) return Request::Progress::whole;
  }
}

}  // namespace rxnf::remote

// What requests have in common in reading their reply: what an error means for them.
#pragma once
#include <string>

#include "store/remote/cluster/refusal.h"
#include "store/remote/operation.h"
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

}  // namespace rxnf::remote

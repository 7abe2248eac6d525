#include "store/remote/cluster/refusal.h"

#include <charconv>

#include "store/remote/cluster/slot.h"

namespace rxnf::cluster {
namespace {

constexpr struct {
  std::string_view word;
  Refusal refusal;
} words[] = {
    {"MOVED", Refusal::moved},
    {"ASK", Refusal::ask},
    {"TRYAGAIN", Refusal::try_again},
    {"CLUSTERDOWN", Refusal::cluster_down},
    {"READONLY", Refusal::read_only},
    {"LOADING", Refusal::loading},
    {"MASTERDOWN", Refusal::primary_down},
    {"NOREPLICAS", Refusal::no_replicas},
    {"OOM", Refusal::out_of_memory},
    {"BUSY", Refusal::busy},
    {"NOAUTH", Refusal::denied},
    {"WRONGPASS", Refusal::denied},
    {"NOPERM", Refusal::denied},
    {"DENIED", Refusal::denied},
};

template <typename T>
bool number(std::string_view text, T &out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size();
}

// "SLOT HOST:PORT"; an IPv6 host has colons of its own.
bool read_target(std::string_view text, Redirection &r) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon < space) return false;
  r.host = text.substr(space + 1, colon - space - 1);
  return number(text.substr(0, space), r.slot) && r.slot < slot_count &&
         number(text.substr(colon + 1), r.port) && r.port != 0;
}

}  // namespace

Redirection read_refusal(std::string_view error) {
  Redirection r{Refusal::other, 0, {}, 0};
  const size_t space = error.find(' ');
  const std::string_view word = error.substr(0, space);
  for (const auto &known : words)
    if (known.word == word) r.refusal = known.refusal;
  if (r.refusal == Refusal::moved || r.refusal == Refusal::ask) {
    if (space == std::string_view::npos || !read_target(error.substr(space + 1), r))
      return {Refusal::other, 0, {}, 0};
  } else if (word == "ERR" && error.find("unction not found") != std::string_view::npos) {
    r.refusal = Refusal::no_function;
  }
  return r;
}

}  // namespace rxnf::cluster

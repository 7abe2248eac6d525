// Why a packet was dropped. The first ids are the native kernels' own; JavaScript registers
// further names after them (at most 256 in all), so that one array of counters serves both.
#pragma once
#include <cstdint>

namespace rxnf {

#define RXNF_REASONS(X)                           \
  X(none, "none")                                 \
  X(unsettled, "unsettled")                       \
  X(transmit_full, "transmit-full")               \
  X(no_buffer, "no-buffer")                       \
  X(no_headroom, "no-headroom")                   \
  X(wrong_vlan, "wrong-vlan")                     \
  X(truncated, "truncated")                       \
  X(bad_version, "bad-version")                   \
  X(bad_header_length, "bad-header-length")       \
  X(bad_total_length, "bad-total-length")         \
  X(bad_checksum, "bad-checksum")                 \
  X(bad_tcp_offset, "bad-tcp-offset")             \
  X(bad_udp_length, "bad-udp-length")             \
  X(bad_extension_header, "bad-extension-header") \
  X(bad_icmp_quote, "bad-icmp-quote")             \
  X(not_for_us, "not-for-us")                     \
  X(martian_source, "martian-source")             \
  X(no_route, "no-route")                         \
  X(table_full, "table-full")                     \
  X(store_busy, "store-busy")                     \
  X(conflict, "conflict")

enum class Reason : uint8_t {
#define X(id, name) id,
  RXNF_REASONS(X)
#undef X
};

inline constexpr const char *reason_names[] = {
#define X(id, name) name,
    RXNF_REASONS(X)
#undef X
};

inline constexpr uint32_t max_reasons = 256;

}  // namespace rxnf

// The kernels against oracles written the slow way: whole checksums for updated ones, a scan of all
// prefixes for the trie, and every truncation of a frame for the parser.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "kernels/edit.h"
#include "kernels/parse.h"
#include "kernels/route.h"
#include "lane/lane.h"

using namespace rxnf;
using namespace rxnf::wire;

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                 \
    }                                                                               \
  } while (0)

namespace {

std::mt19937 generator(1);
uint32_t any() { return static_cast<uint32_t>(generator()); }

uint16_t reference(const std::vector<uint8_t> &bytes) {
  uint32_t s = 0;
  for (size_t i = 0; i < bytes.size(); i += 2)
    s += bytes[i] | (i + 1 < bytes.size() ? bytes[i + 1] << 8 : 0);
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return static_cast<uint16_t>(s);
}

void sums_as_the_reference_does() {
  for (int n = 0; n < 20'000; n++) {
    std::vector<uint8_t> bytes(any() % 200);
    for (auto &b : bytes) b = static_cast<uint8_t>(any());
    const uint16_t mine = fold(sum(bytes.data(), static_cast<uint32_t>(bytes.size())));
    const uint16_t theirs = reference(bytes);
    EXPECT(mine % 0xffff == theirs % 0xffff);
  }
}

// The whole words of an IPv4 header carry into each other; nothing may be lost on the way.
void sums_a_header_of_twenty_bytes() {
  for (int n = 0; n < 100'000; n++) {
    std::vector<uint8_t> bytes(20);
    for (auto &b : bytes) b = n % 3 ? static_cast<uint8_t>(any()) : any() % 4 ? 0xff : 0;
    EXPECT(fold(sum20(bytes.data())) % 0xffff == reference(bytes) % 0xffff);
  }
}

// RFC 1624: the updated checksum is the one that the changed words would have got.
void updates_as_if_recomputed() {
  for (int n = 0; n < 100'000; n++) {
    std::vector<uint8_t> bytes(40);
    for (auto &b : bytes) b = static_cast<uint8_t>(any());
    if (n % 7 == 0) std::fill(bytes.begin(), bytes.begin() + 20, n % 2 ? 0xff : 0);
    const auto before = static_cast<uint16_t>(~fold(sum(bytes.data(), 40)));
    const uint32_t word = n % 3 ? any() : n % 2 ? 0xffffffff : 0;
    const auto half = static_cast<uint16_t>(any());
    const uint64_t d =
        delta32(load<uint32_t>(&bytes[8]), word) + delta16(load<uint16_t>(&bytes[4]), half);
    store(&bytes[8], word);
    store(&bytes[4], half);
    const auto after = static_cast<uint16_t>(~fold(sum(bytes.data(), 40)));
    EXPECT(update(before, d) % 0xffff == after % 0xffff);
  }
}

void finds_the_longest_prefix() {
  std::vector<RoutePrefix> prefixes;
  for (int n = 0; n < 300; n++) {
    const auto length = static_cast<uint8_t>(any() % 33);
    // Crowded into few networks, so that prefixes nest.
    const uint32_t address =
        (10u << 24 | (any() & 0x0003ffff)) & (length == 0 ? 0 : ~uint32_t{0} << (32 - length));
    prefixes.push_back({address, length, 0, 0, 0});
  }
  const PrefixTrie trie(prefixes);
  for (int n = 0; n < 200'000; n++) {
    const uint32_t a = n % 10 ? (10u << 24 | (any() & 0x0003ffff)) : any();
    int best = -1;
    for (size_t i = 0; i < prefixes.size(); i++) {
      const auto &p = prefixes[i];
      const uint32_t mask = p.length == 0 ? 0 : ~uint32_t{0} << (32 - p.length);
      if ((a & mask) == p.address && p.length >= best) best = p.length;
    }
    const uint32_t found = trie(a);
    EXPECT((found == 0) == (best < 0));
    if (found) EXPECT(prefixes[found - 1].length == best);
  }
}

// A frame of one kind, in a buffer as roomy as a packet's, with its checksum right.
std::vector<uint8_t> frame(uint8_t protocol, uint32_t payload, uint8_t header_words) {
  std::vector<uint8_t> f(14 + header_words * 4u + payload);
  for (auto &b : f) b = static_cast<uint8_t>(any());
  const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  std::memcpy(f.data(), mac, 6);
  store<uint16_t>(&f[12], ethertype_ipv4);
  uint8_t *ip = &f[14];
  ip[0] = static_cast<uint8_t>(0x40 | header_words);
  store(ip + 2, swap16(static_cast<uint16_t>(f.size() - 14)));
  store<uint16_t>(ip + 6, 0);
  ip[8] = 64;
  ip[9] = protocol;
  ip[12] = 10, ip[16] = 198;
  store<uint16_t>(ip + 10, 0);
  uint8_t *l4 = ip + header_words * 4;
  if (protocol == protocol_tcp) l4[12] = 0x50;
  if (protocol == protocol_udp) store(l4 + 4, swap16(static_cast<uint16_t>(payload)));
  store(ip + 10, static_cast<uint16_t>(~fold(sum(ip, header_words * 4u))));
  return f;
}

struct OneRow {
  OneRow() : layout(1, {}), block(layout.size + 64), arena(4096) {
    auto at = reinterpret_cast<uintptr_t>(block.data());
    batch = layout.at(reinterpret_cast<uint8_t *>((at + 63) & ~uintptr_t{63}), 0);
  }
  void put(const std::vector<uint8_t> &bytes, uint32_t length) {
    std::fill(arena.begin(), arena.end(), 0xa5);
    std::copy_n(bytes.begin(), length, arena.begin() + 128);
    batch.header->count = 1;
    batch.data[0] = 128;
    batch.length[0] = length;
    batch.traits[0] = 0;
    batch.verdict[0] = 0;
  }
  BatchLayout layout;
  std::vector<uint8_t> block, arena;
  Batch batch;
};

void refuses_every_truncation() {
  OneRow row;
  ParseConfig c;
  c.ports.resize(1);
  const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  std::memcpy(c.ports[0].mac, mac, 6);
  Parse parse(row.arena.data(), c);
  for (const uint8_t protocol : {protocol_tcp, protocol_udp}) {
    for (const uint8_t words : {uint8_t{5}, uint8_t{15}}) {
      const auto f = frame(protocol, 40, words);
      for (uint32_t length = 0; length <= f.size(); length++) {
        row.put(f, length);
        parse.run(row.batch);
        const bool whole = length == f.size();
        EXPECT((row.batch.verdict[0] == 0) == whole);
        if (!whole) EXPECT(row.batch.verdict[0] == -static_cast<int>(Reason::truncated));
      }
      EXPECT(row.batch.traits[0] & (protocol == protocol_tcp ? trait::tcp : trait::udp));
      EXPECT(row.batch.flow[0].source == load<uint32_t>(&f[14 + 12]));
      EXPECT(row.batch.flow[0].destination_port == load<uint16_t>(&f[14 + words * 4u + 2]));
      auto damaged = f;
      damaged[14 + 8] ^= 1;
      row.put(damaged, static_cast<uint32_t>(f.size()));
      parse.run(row.batch);
      EXPECT(row.batch.verdict[0] == -static_cast<int>(Reason::bad_checksum));
    }
  }
}

void buckets_latency_in_order() {
  uint32_t last = 0;
  for (uint64_t ns = 0; ns < 1'000'000; ns++) {
    const uint32_t b = latency_bucket(ns);
    EXPECT(b >= last && b <= last + 1);
    last = b;
  }
  EXPECT(latency_bucket(~uint64_t{0}) < Counters::latency_buckets);
}

}  // namespace

int main() {
  sums_as_the_reference_does();
  sums_a_header_of_twenty_bytes();
  updates_as_if_recomputed();
  finds_the_longest_prefix();
  refuses_every_truncation();
  buckets_latency_in_order();
  return 0;
}

// The parse kernel on every prefix of valid frames, and on frames with any byte changed: it reads
// nothing behind them (run this under the address sanitizer), and what lies there decides nothing.
#include <memory>
#include <vector>

#include "kernels/parse.h"
#include "kernels/plain.h"
#include "test/support.h"

using namespace rxnf;
using namespace rxnf::wire;
using rxnf::test::Random;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes operator+(Bytes a, const Bytes &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes ethernet(uint16_t type) {
  return {2,
          0,
          0,
          0,
          0,
          1,
          2,
          0,
          0,
          0,
          0,
          2,
          static_cast<uint8_t>(type >> 8),
          static_cast<uint8_t>(type)};
}

Bytes vlan(uint16_t type) {
  return {0, 7, static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)};
}

Bytes ipv4(uint8_t protocol, const Bytes &payload, uint16_t fragment = 0,
           const Bytes &options = {}) {
  const size_t header = 20 + options.size(), total = header + payload.size();
  Bytes ip{static_cast<uint8_t>(0x40 | header / 4),
           0,
           static_cast<uint8_t>(total >> 8),
           static_cast<uint8_t>(total),
           0,
           77,
           static_cast<uint8_t>(fragment >> 8),
           static_cast<uint8_t>(fragment),
           64,
           protocol,
           0,
           0,
           10,
           0,
           0,
           5,
           198,
           51,
           100,
           7};
  ip = ip + options;
  const auto checksum = static_cast<uint16_t>(~fold(sum(ip.data(), static_cast<uint32_t>(header))));
  store(&ip[10], checksum);
  return ip + payload;
}

Bytes tcp(uint8_t flags, const Bytes &options = {}) {
  const auto offset = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  return Bytes{0x10, 0x92, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, offset, flags, 1, 0, 0, 0, 0, 0} +
         options;
}

Bytes udp(const Bytes &payload) {
  const auto length = static_cast<uint8_t>(8 + payload.size());
  return Bytes{0x10, 0x92, 0, 53, 0, length, 1, 2} + payload;
}

Bytes icmp(uint8_t type, const Bytes &rest) {
  Bytes message = Bytes{type, 0, 0, 0} + rest;
  const auto checksum =
      static_cast<uint16_t>(~fold(sum(message.data(), static_cast<uint32_t>(message.size()))));
  store(&message[2], checksum);
  return message;
}

Bytes ipv6(uint8_t next, const Bytes &payload) {
  Bytes ip{0x60, 0, 0, 0, 0, static_cast<uint8_t>(payload.size()), next, 64};
  for (int i = 0; i < 32; i++) ip.push_back(static_cast<uint8_t>(i == 0 || i == 16 ? 0x20 : i));
  return ip + payload;
}

struct Sample {
  const char *name;
  Bytes frame;
  uint32_t has;   // traits
  size_t needed;  // shorter than this it is not sound
};

std::vector<Sample> samples() {
  const Bytes ip4 = ethernet(0x0800), ip6 = ethernet(0x86dd);
  const Bytes quote = Bytes{0, 0, 0, 0} + ipv4(17, udp({1, 2}));
  const Bytes first = Bytes(16, 7);
  std::vector<Sample> all;
  const auto add = [&](const char *name, const Bytes &frame, uint32_t has, size_t trailer = 0) {
    all.push_back({name, frame + Bytes(trailer, 0), has, frame.size()});
  };
  using namespace trait;
  add("tcp", ip4 + ipv4(6, tcp(0x10) + Bytes(3, 1)), trait::ipv4 | trait::tcp | has_flow);
  add("syn", ip4 + ipv4(6, tcp(2, {2, 4, 5, 180})), trait::tcp | tcp_control | has_flow);
  add("udp", ip4 + ipv4(17, udp({1, 2, 3})), trait::udp | has_flow);
  add("padded", ip4 + ipv4(17, udp({})), trait::udp | has_flow, 18);
  add("echo", ip4 + ipv4(1, icmp(8, {0, 7, 0, 1, 9})), icmp_query | echo_request | has_flow);
  add("error", ip4 + ipv4(1, icmp(3, quote)), icmp_error | has_flow);
  add("options", ip4 + ipv4(17, udp({1}), 0, {1, 1, 1, 0}), trait::options | has_flow);
  add("first", ip4 + ipv4(17, Bytes{0x10, 0x92, 0, 53, 0, 99, 1, 2} + first, 0x2000),
      fragment | fragment_first | has_flow);
  add("later", ip4 + ipv4(17, first, 0x0003), fragment | fragment_later | trait::udp);
  add("other", ip4 + ipv4(47, {1, 2, 3, 4}), other_protocol);
  add("vlan", ethernet(0x8100) + vlan(0x0800) + ipv4(17, udp({1})), tagged | has_flow);
  add("qinq", ethernet(0x88a8) + vlan(0x8100) + vlan(0x0800) + ipv4(6, tcp(1)), tagged | has_flow);
  add("arp", ethernet(0x0806) + Bytes(28, 1), arp);
  add("ipv6", ip6 + ipv6(17, udp({1, 2})), trait::ipv6 | trait::udp);
  add("ipv6 chain",
      ip6 + ipv6(0, Bytes{60, 0, 1, 4, 0, 0, 0, 0} + Bytes{6, 0, 1, 4, 0, 0, 0, 0} + tcp(2)),
      trait::ipv6 | trait::tcp | trait::options);
  add("ipv6 fragment", ip6 + ipv6(44, Bytes{17, 0, 0, 9, 0, 0, 0, 1} + first),
      trait::ipv6 | fragment | fragment_later);
  add("ipv6 echo", ip6 + ipv6(58, {128, 0, 1, 2, 0, 7, 0, 1}), icmp_query);
  return all;
}

struct Result {
  int32_t verdict;
  uint32_t traits;
  uint16_t l3, l4;
  Flow flow;
};

// A buffer that ends where the frame does. The quick way may read a whole header behind the start
// of a short frame, as any packet buffer allows: 64 bytes are always there.
constexpr size_t least = 64;

Result parse(const Bytes &frame, size_t length, uint8_t behind) {
  const size_t size = length < least ? least : length;
  const std::unique_ptr<uint8_t[]> arena(new uint8_t[size]);
  std::memset(arena.get(), behind, size);
  std::memcpy(arena.get(), frame.data(), length);
  BatchLayout layout(4, {});
  std::vector<uint64_t> block(layout.size / 8 + 8);
  Batch b = layout.at(reinterpret_cast<uint8_t *>(block.data()), 0);
  b.header->count = 1;
  b.length[0] = static_cast<uint32_t>(length);
  ParseConfig config;
  config.ports.push_back({});
  config.ports[0].accept_any = true;
  Parse kernel(arena.get(), config);
  kernel.run(b);
  return {b.verdict[0], b.traits[0], b.l3[0], b.l4[0], b.flow[0]};
}

Result parse_alike(const Bytes &frame, size_t length) {
  const Result a = parse(frame, length, 0xa5), b = parse(frame, length, 0x00);
  EXPECT(a.verdict == b.verdict);
  if (a.verdict == 0) {
    EXPECT(a.traits == b.traits && a.l3 == b.l3 && a.l4 == b.l4);
    EXPECT(std::memcmp(&a.flow, &b.flow, sizeof a.flow) == 0);
  }
  return a;
}

void every_prefix() {
  for (const Sample &s : samples()) {
    const Result whole = parse_alike(s.frame, s.frame.size());
    if (whole.verdict != 0 || (whole.traits & s.has) != s.has) {
      std::fprintf(stderr, "%s: verdict %d, traits %x\n", s.name, whole.verdict, whole.traits);
      EXPECT(false);
    }
    for (size_t length = 0; length < s.frame.size(); length++) {
      const Result cut = parse_alike(s.frame, length);
      if ((cut.verdict == 0) != (length >= s.needed)) {
        std::fprintf(stderr, "%s: %zu of %zu bytes: %d\n", s.name, length, s.frame.size(),
                     cut.verdict);
        EXPECT(false);
      }
    }
  }
}

// A router may quote as little as the header and eight bytes (RFC 792); less is of no use.
void quotes_of_every_length() {
  const Bytes quoted = ipv4(17, udp({1, 2, 3, 4}), 0, {1, 1, 1, 0});
  for (size_t length = 0; length <= quoted.size(); length++) {
    const Bytes quote(quoted.begin(), quoted.begin() + static_cast<std::ptrdiff_t>(length));
    const Bytes frame = ethernet(0x0800) + ipv4(1, icmp(3, Bytes{0, 0, 0, 0} + quote));
    EXPECT((parse_alike(frame, frame.size()).verdict == 0) == (length >= 24 + 8));
  }
}

// A sound packet's headers lie in it, whatever its fields say.
void any_byte_changed() {
  Random random(5);
  for (const Sample &s : samples())
    for (int round = 0; round < 3000; round++) {
      Bytes frame = s.frame;
      for (uint32_t n = 1 + random.below(3); n > 0; n--)
        frame[random.below(static_cast<uint32_t>(frame.size()))] = static_cast<uint8_t>(random());
      if (frame[12] == 8 && frame[13] == 0 && round % 2) {  // past the header's checksum
        store<uint16_t>(&frame[24], 0);
        const uint32_t header = (frame[14] & 15) * 4u;
        if (header <= frame.size() - 14)
          store(&frame[24], static_cast<uint16_t>(~fold(sum(&frame[14], header))));
      }
      const size_t length =
          random.below(4) ? frame.size() : random.below(static_cast<uint32_t>(frame.size()));
      const Result r = parse_alike(frame, length);
      if (r.verdict != 0) continue;
      EXPECT(r.l3 <= length && r.l4 <= length);
      const bool later = r.traits & trait::fragment_later;
      if ((r.traits & trait::tcp) && !later) EXPECT(r.l4 + 20u <= length);
      if ((r.traits & (trait::udp | trait::icmp_query)) && !later) EXPECT(r.l4 + 8u <= length);
      if (r.traits & trait::icmp_error) EXPECT(r.l4 + 8u <= length);
    }
}

// One by one, what plain.h tells at once: by the fields of an IPv4 header and a frame's length.
bool plain_by_fields(const Bytes &f, uint32_t length) {
  const uint32_t total = load_be16(&f[16]), protocol = f[23];
  const bool tcp = protocol == protocol_tcp, udp = protocol == protocol_udp;
  if (length < 34 || f[14] != 0x45 || fold(sum(&f[14], 20)) != 0xffff) return false;
  if (total < 20 || total > length - 14 || !(tcp || udp)) return false;
  const uint32_t extent = tcp ? (f[46] >> 4) * 4u : load_be16(&f[38]);
  return extent >= (tcp ? 20 : 8) && extent <= total - 20;
}

// Around every limit, also where fields contradict each other.
void plain_only_where_every_field_says_so() {
  Random random(6);
  ParsePort port;
  port.accept_any = true;
  port.prepare();
  const Bytes samples[] = {ethernet(0x0800) + ipv4(6, tcp(0x10) + Bytes(40, 1)),
                           ethernet(0x0800) + ipv4(17, udp(Bytes(52, 1)))};
  uint32_t plain = 0;
  for (int round = 0; round < 200'000; round++) {
    Bytes f = samples[random.below(2)];
    const auto total = static_cast<uint16_t>(random.below(100));
    store(&f[16], swap16(random.below(50) ? total : static_cast<uint16_t>(random())));
    if (random.below(8) == 0) f[23] = static_cast<uint8_t>(random());
    f[46] = static_cast<uint8_t>(random.below(16) << 4);
    store(&f[38], swap16(static_cast<uint16_t>(random.below(80))));
    store<uint16_t>(&f[24], 0);
    store(&f[24], static_cast<uint16_t>(~fold(sum(&f[14], 20))));
    if (random.below(8) == 0) f[14 + random.below(2)] = static_cast<uint8_t>(random());
    if (random.below(100) == 0) std::memset(&f[14], 0, 20);
    const uint32_t length = random.below(3) ? total + 12u + random.below(5) : random.below(120);
    EXPECT(is_plain(f.data(), length, port) == plain_by_fields(f, length));
    plain += is_plain(f.data(), length, port);
  }
  EXPECT(plain > 10'000);
}

}  // namespace

int main() {
  every_prefix();
  quotes_of_every_length();
  any_byte_changed();
  plain_only_where_every_field_says_so();
}

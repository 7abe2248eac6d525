// Endpoints replaced in place, against packets that are written anew and summed in full: with
// options and without, of any length, and where a one's complement sum is zero in either of its two
// forms.
#include "kernels/edit.h"

#include <cstddef>
#include <vector>

#include "test/support.h"

using namespace rxnf;
using namespace rxnf::wire;
using rxnf::test::Random;

namespace {

using Bytes = std::vector<uint8_t>;

// Left by a packet for its checksum to be filled in.
constexpr uint16_t corners[] = {0, 1, 0xfffe, 0xffff};

struct Packet {
  Bytes bytes;
  bool udp;
  uint8_t *ip() { return bytes.data(); }
  uint32_t header() const { return (bytes[0] & 15u) * 4; }
  uint8_t *l4() { return bytes.data() + header(); }
  uint8_t *header_checksum() { return ip() + 10; }
  uint8_t *checksum() { return l4() + (udp ? 6 : 16); }

  // RFC 1071, a byte pair at a time.
  static uint16_t slow_sum(const uint8_t *p, size_t n, uint32_t s = 0) {
    for (size_t i = 0; i < n; i++) s += i % 2 ? p[i] << 8 : p[i];
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return static_cast<uint16_t>(s);
  }
  uint16_t header_sum() { return slow_sum(ip(), header()); }
  // RFC 768, RFC 9293 3.1: pseudo-header, then all that follows the network header.
  uint16_t transport_sum() {
    const auto size = static_cast<uint32_t>(bytes.size()) - header();
    uint32_t pseudo = slow_sum(ip() + 12, 8);
    pseudo += swap16(static_cast<uint16_t>(size)) + (ip()[9] << 8);
    return slow_sum(l4(), size, pseudo);
  }
  void fill_header_checksum() {
    store<uint16_t>(header_checksum(), 0);
    store(header_checksum(), static_cast<uint16_t>(~header_sum()));
  }
  void fill_checksums() {
    fill_header_checksum();
    store<uint16_t>(checksum(), 0);
    const auto sum = static_cast<uint16_t>(~transport_sum());
    store<uint16_t>(checksum(), udp && sum == 0 ? 0xffff : sum);
  }
  // Changes a half in the payload so that the transport's checksum will be `wanted`.
  void aim_checksum(uint16_t wanted) {
    uint8_t *const spare = l4() + 20;
    store<uint16_t>(spare, 0), store<uint16_t>(checksum(), 0);
    const uint32_t rest = transport_sum() + wanted;
    store(spare, static_cast<uint16_t>(~fold(rest)));
  }
  // The same for the header's, by its identification.
  void aim_header_checksum(uint16_t wanted) {
    store<uint16_t>(ip() + 4, 0), store<uint16_t>(header_checksum(), 0);
    const uint32_t rest = header_sum() + wanted;
    store(ip() + 4, static_cast<uint16_t>(~fold(rest)));
  }
};

Packet any_packet(Random &random) {
  const bool udp = random.below(2);
  const uint32_t header = 20 + 4 * random.below(11);
  Packet p{Bytes(header + 22 + random.below(80)), udp};
  for (auto &b : p.bytes) b = static_cast<uint8_t>(random());
  p.ip()[0] = static_cast<uint8_t>(0x40 | header / 4);
  p.ip()[9] = udp ? protocol_udp : protocol_tcp;
  p.ip()[8] |= 2;
  store(p.ip() + 2, swap16(static_cast<uint16_t>(p.bytes.size())));
  return p;
}

uint32_t any_address(Random &random) {
  const uint32_t kind = random.below(6);
  return kind == 0 ? 0 : kind == 1 ? 0xffffffff : static_cast<uint32_t>(random());
}

uint16_t any_port(Random &random) {
  const uint32_t kind = random.below(6);
  return kind == 0 ? 0 : kind == 1 ? 0xffff : static_cast<uint16_t>(random());
}

struct Change {
  bool destination;
  uint32_t address;
  uint16_t port;
};

Change any_change(Random &random) {
  return {random.below(2) == 1, any_address(random), any_port(random)};
}

void rewrite(Packet &p, const Change &c) {
  replace_end(p.ip(), p.l4(), c.destination, p.udp, c.address, c.port);
}

// Fields as they shall be; checksums are the caller's.
Packet written_anew(Packet p, const Change &c) {
  store(p.ip() + (c.destination ? 16 : 12), c.address);
  store(p.l4() + (c.destination ? 2 : 0), c.port);
  p.ip()[8]--;
  return p;
}

void replaces_an_end_as_if_written_anew() {
  Random random(1);
  for (int n = 0; n < 200'000; n++) {
    Packet packet = any_packet(random);
    const Change change = any_change(random);
    Packet expected = written_anew(packet, change);
    // Before or after, either checksum is at a corner now and then.
    if (n % 4 == 1) packet.aim_checksum(corners[random.below(4)]);
    if (n % 4 == 2) expected.aim_checksum(corners[random.below(4)]);
    if (n % 4 == 1) packet.aim_header_checksum(corners[random.below(4)]);
    if (n % 4 == 2) expected.aim_header_checksum(corners[random.below(4)]);
    Packet &aimed = n % 4 == 2 ? expected : packet;
    Packet &other = n % 4 == 2 ? packet : expected;
    for (uint32_t at : {4u, 5u}) other.bytes[at] = aimed.bytes[at];
    for (uint32_t at : {20u, 21u}) other.l4()[at] = aimed.l4()[at];
    packet.fill_checksums();
    expected.fill_checksums();
    rewrite(packet, change);
    EXPECT(packet.bytes == expected.bytes);
  }
}

void leaves_a_datagram_without_checksum_without() {
  Random random(2);
  for (int n = 0; n < 20'000; n++) {
    Packet packet = any_packet(random);
    if (!packet.udp) continue;
    const Change change = any_change(random);
    Packet expected = written_anew(packet, change);
    packet.fill_header_checksum();
    expected.fill_header_checksum();
    store<uint16_t>(packet.checksum(), 0);
    store<uint16_t>(expected.checksum(), 0);
    rewrite(packet, change);
    EXPECT(packet.bytes == expected.bytes);
  }
}

// RFC 1624 4: zero has two forms, and a checksum that arrives in the rarer one still verifies.
void keeps_a_checksum_of_all_ones_valid() {
  Random random(3);
  for (int n = 0; n < 50'000; n++) {
    Packet packet = any_packet(random);
    packet.aim_checksum(0), packet.aim_header_checksum(0);
    store<uint16_t>(packet.checksum(), 0xffff);
    store<uint16_t>(packet.header_checksum(), 0xffff);
    EXPECT(packet.header_sum() == 0xffff && packet.transport_sum() == 0xffff);
    rewrite(packet, any_change(random));
    EXPECT(packet.header_sum() == 0xffff && packet.transport_sum() == 0xffff);
    EXPECT(!packet.udp || load<uint16_t>(packet.checksum()) != 0);
  }
}

// What is wrong stays wrong by as much: a translation must not hide damage (RFC 1071 2).
void leaves_a_wrong_checksum_wrong() {
  Random random(4);
  for (int n = 0; n < 50'000; n++) {
    Packet packet = any_packet(random);
    packet.fill_checksums();
    packet.l4()[20] ^= 1u << random.below(8);
    if (packet.transport_sum() == 0xffff) continue;
    rewrite(packet, any_change(random));
    EXPECT(packet.transport_sum() != 0xffff);
  }
}

}  // namespace

int main() {
  replaces_an_end_as_if_written_anew();
  leaves_a_datagram_without_checksum_without();
  keeps_a_checksum_of_all_ones_valid();
  leaves_a_wrong_checksum_wrong();
}

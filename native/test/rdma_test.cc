// The RDMA stream against a peer that behaves as a Valkey server does, and its failures.
#include "store/remote/rdma.h"

#include <string>

#include "test/rdma_peer.h"

using namespace rxnf;
using namespace rxnf::rdma;
using rxnf::test::Random;
using rxnf::test::RdmaPeer;

namespace {

constexpr uint64_t second = 1'000'000'000;

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

std::string read(Stream &stream, size_t most = 1 << 20) {
  std::string text(most, '\0');
  text.resize(stream.receive({reinterpret_cast<uint8_t *>(text.data()), text.size()}));
  return text;
}

// Connected, registered both ways, nothing outstanding.
struct Open : RdmaPeer {
  Open(uint32_t server_bytes = 4096, uint32_t client_bytes = 4096, uint32_t outgoing_bytes = 4096)
      : RdmaPeer(server_bytes, client_bytes, outgoing_bytes) {
    client.prepare();
    client.established(0);
    register_buffer();
    handle(3);
    complete(3);
    EXPECT(client.open());
    log.clear();
  }
};

void codec_gives_known_bytes() {
  uint8_t raw[32];
  std::memset(raw, 0xa5, sizeof raw);
  encode({.opcode = Opcode::register_xfer_memory,
          .address = 0x0102030405060708,
          .length = 0x00100000,
          .key = 0xaabbccdd},
         raw);
  EXPECT(RdmaPeer::hex(raw) ==
         "0003000000000000000000000000000001020304050607080010"
         "0000aabbccdd");
  const Command back = decode(raw);
  EXPECT(back.opcode == Opcode::register_xfer_memory && back.address == 0x0102030405060708);
  EXPECT(back.length == 0x00100000 && back.key == 0xaabbccdd);
  encode({.opcode = Opcode::set_client_feature, .select = 0x0203, .features = 1}, raw);
  EXPECT(RdmaPeer::hex(raw) == "00010203" + std::string(48, '0') + "00000001");
  EXPECT(decode(raw).select == 0x0203 && decode(raw).features == 1);
}

void handshake_asks_chooses_and_registers() {
  RdmaPeer peer(4096, 65536, 4096);
  peer.client.prepare();
  peer.client.established(0);
  const std::vector<std::string> expected = {
      std::string(64, '0'),
      "0001" + std::string(60, '0'),
      "0003" + std::string(28, '0') + "00007e0000002000" + "00010000" + "00003344",
  };
  EXPECT(peer.log == expected);
  EXPECT(!peer.client.open() && peer.client.send(bytes_of("PING\r\n")) == 0);
  peer.register_buffer();
  EXPECT(peer.client.open() && peer.client.send(bytes_of("PING\r\n")) == 6);
}

void bytes_pass_both_ways() {
  Open peer;
  EXPECT(peer.client.send(bytes_of("PING\r\n")) == 6);
  EXPECT(peer.client.send(bytes_of("ECHO x\r\n")) == 8);
  EXPECT((peer.log == std::vector<std::string>{"write 0 6", "write 6 8"}));
  peer.handle(2);
  EXPECT(peer.heard == "PING\r\nECHO x\r\n");
  peer.write("+PONG\r\n");
  peer.write("$1\r\nx\r\n");
  EXPECT(read(peer.client, 3) == "+PO");
  EXPECT(read(peer.client) == "NG\r\n$1\r\nx\r\n" && read(peer.client).empty());
}

void a_full_peer_is_waited_for() {
  Open peer(10, 4096);
  EXPECT(peer.client.send(bytes_of("0123456789abcdef")) == 10);
  EXPECT(peer.client.send(bytes_of("abcdef")) == 0);
  peer.handle(1);
  EXPECT(peer.client.send(bytes_of("abcdef")) == 6);
  EXPECT((peer.log == std::vector<std::string>{"write 0 10", "write 0 6"}));
}

void bytes_on_their_way_are_not_overwritten() {
  Open peer(4096, 4096, 8);
  EXPECT(peer.client.send(bytes_of("01234567")) == 8);
  peer.handle(1);
  EXPECT(peer.client.send(bytes_of("8")) == 0);  // handled, but its completion is not there
  peer.complete(1);
  EXPECT(peer.client.send(bytes_of("89abc")) == 5);
  peer.complete(1);
  EXPECT(peer.client.send(bytes_of("defgh")) == 5);  // cut where the ring ends
  peer.handle(9);
  EXPECT(peer.heard == "0123456789abcdefgh");
}

void a_reply_cut_at_the_end_continues_after_registration() {
  Open peer(4096, 10);
  const uint32_t before = peer.registrations;
  const std::string reply = "$12\r\nhello world!\r\n";
  EXPECT(peer.write(reply) == 10);
  EXPECT(read(peer.client, 9) == reply.substr(0, 9));
  EXPECT(peer.log.empty());  // one byte is unread
  EXPECT(read(peer.client) == reply.substr(9, 1));
  EXPECT(peer.log.size() == 1 && peer.log[0].starts_with("0003"));
  EXPECT(peer.client_free() == 0);
  peer.handle(1);
  EXPECT(peer.registrations == before + 1);
  EXPECT(peer.write(reply.substr(10)) == reply.size() - 10);
  EXPECT(read(peer.client) == reply.substr(10));
}

void messages_never_exceed_the_receives() {
  Open peer(1 << 20, 4096, 1 << 20);
  uint32_t sent = 0;
  while (peer.client.send(bytes_of("x")) == 1) {
    sent++;
    peer.client.flush(0);
    peer.complete(1);
  }
  EXPECT(!peer.broken && peer.client.credits() == reserved_credits);
  EXPECT(sent >= receive_depth - reserved_credits - 4);
  // Control messages pass where data no longer does.
  peer.write(std::string(4096, 'r'));
  EXPECT(read(peer.client).size() == 4096 && peer.client.credits() == reserved_credits - 1);
  // The peer handles what lies before the question, then the question.
  peer.handle(probe_after - 4);
  EXPECT(peer.client.send(bytes_of("x")) == 0);
  peer.handle(8);
  EXPECT(peer.client.send(bytes_of("x")) == 1 && !peer.broken);
  peer.handle(receive_depth);
  peer.complete(receive_depth);
  for (uint32_t i = 0; i < 32; i++) EXPECT(peer.client.send(bytes_of("x")) == 1);
  peer.client.flush(0);  // more than half is outstanding again
  peer.handle(receive_depth);
  EXPECT(peer.client.credits() == receive_depth - 1);
}

void control_messages_wait_for_a_free_place() {
  Open peer(4096, 10);
  for (uint32_t i = 0; i < command_slots; i++) {
    EXPECT(peer.write("0123456789") == 10 && read(peer.client).size() == 10);
    peer.handle(1);
  }
  EXPECT(peer.write("0123456789") == 10 && read(peer.client).size() == 10);
  peer.handle(1);
  EXPECT(peer.log.size() == command_slots && peer.client_free() == 0);  // none has completed
  peer.complete(1);
  peer.client.flush(0);
  peer.handle(1);
  EXPECT(peer.log.size() == command_slots + 1 && peer.client_free() == 10);
}

void silence_is_broken_by_a_keepalive() {
  Open peer;
  peer.client.flush(1 * second);
  peer.client.flush(3 * second - 1);
  EXPECT(peer.log.empty());
  peer.client.flush(3 * second);
  EXPECT(peer.log.size() == 1 && peer.log[0] == "0002" + std::string(60, '0'));
  peer.client.flush(6 * second - 1);
  EXPECT(peer.log.size() == 1);
  peer.client.flush(6 * second);
  EXPECT(peer.log.size() == 2);
  EXPECT(peer.client.send(bytes_of("x")) == 1);
  peer.client.flush(7 * second);
  peer.client.flush(9 * second);
  EXPECT(peer.log.size() == 3);
  peer.client.flush(10 * second);
  EXPECT(peer.log.size() == 4);
  peer.send({.opcode = Opcode::keepalive});
  EXPECT(peer.client.open());
}

// Streams both ways through small buffers, with everything late and in pieces of any size.
void random_schedules_keep_both_streams_whole(uint64_t seed) {
  Random random(seed);
  Open peer(1 + random.below(3000), 1 + random.below(3000), 1 + random.below(3000));
  const uint32_t most = 1 + random.below(40);
  std::string spoken, told, received;
  uint64_t now = 0;
  const auto piece = [&] {
    std::string text(1 + random.below(most), '\0');
    for (char &c : text) c = static_cast<char>(random());
    return text;
  };
  for (uint32_t step = 0; step < 20'000; step++) {
    now += random.below(1000) * 1000;
    switch (random.below(6)) {
      case 0:
      case 1: {
        const std::string text = piece();
        spoken += text.substr(0, peer.client.send(bytes_of(text)));
        break;
      }
      case 2:
        peer.handle(random.below(random.below(50) ? 3 : 3000));
        break;
      case 3:
        peer.complete(random.below(4));
        break;
      case 4: {
        const std::string text = piece();
        told += text.substr(0, peer.write(text));
        break;
      }
      case 5:
        received += read(peer.client, random.below(2 * most));
        break;
    }
    peer.client.flush(now);
    EXPECT(!peer.broken && !peer.client.failed());
  }
  peer.handle(UINT32_MAX);
  peer.complete(UINT32_MAX);
  received += read(peer.client);
  EXPECT(peer.heard == spoken && received == told);
  EXPECT(spoken.size() > 1000 && told.size() > 1000);
}

template <typename Act>
void fails_with(const char *text, Act act) {
  Open peer;
  act(peer);
  EXPECT(peer.client.failed() && peer.client.error().find(text) != std::string::npos);
  EXPECT(!peer.client.open() && peer.client.send(bytes_of("x")) == 0 && read(peer.client).empty());
  const size_t posted = peer.log.size();
  peer.client.flush(100 * second);
  EXPECT(peer.log.size() == posted);
}

void a_peer_that_breaks_the_rules_is_refused() {
  fails_with("12 bytes, not 32", [](auto &p) { p.client.received(p.next_slot(), 12); });
  fails_with("not asked", [](auto &p) { p.send({.opcode = Opcode::get_server_feature}); });
  fails_with("opcode 1,", [](auto &p) { p.send({.opcode = Opcode::set_client_feature}); });
  fails_with("opcode 9,", [](auto &p) { p.send({.opcode = static_cast<Opcode>(9)}); });
  fails_with("still free", [](auto &p) { p.register_buffer(); });
  fails_with("wrote 4097 bytes",
             [](auto &p) { p.client.received_write(p.next_slot(), big_endian(4097u)); });
  fails_with("never posted", [](auto &p) { p.client.sent(); });
  fails_with("ibv_post_send of a write", [](auto &p) {
    p.refuse = ENOMEM;
    EXPECT(p.client.send(bytes_of("x")) == 0);
  });
  fails_with("ibv_post_recv", [](auto &p) {
    p.refuse = EINVAL;
    p.write("x");
  });
  for (const Command c :
       {Command{.address = 1, .length = 0}, Command{.address = UINT64_MAX, .length = 9}}) {
    RdmaPeer peer(4096, 4096, 4096);
    peer.client.prepare();
    peer.client.established(0);
    peer.send({.opcode = Opcode::register_xfer_memory, .address = c.address, .length = c.length});
    EXPECT(peer.client.error().find("cannot be") != std::string::npos);
  }
}

void a_missing_library_is_named_with_its_mend() {
  const auto transport = connect("/nowhere/librxnf_rdma.so", {.address = "192.0.2.1"});
  EXPECT(transport->poll(1) == Transport::State::failed);
  EXPECT(transport->error().find("/nowhere/librxnf_rdma.so") != std::string::npos);
  EXPECT(transport->error().find("librdmacm-dev") != std::string::npos);
  EXPECT(transport->send(bytes_of("x")) == 0);
  // Without a path it is looked for beside this program, where it is not.
  const auto beside = connect({.address = "192.0.2.1"});
  EXPECT(beside->poll(1) == Transport::State::failed);
  EXPECT(beside->error().find("/test/librxnf_rdma.so") != std::string::npos);
}

// With the library, a connection to nowhere fails within its time, devices or none.
void a_connection_to_nowhere_fails() {
  const char *library = std::getenv("RXNF_RDMA_LIBRARY");
  if (!library) {
    std::puts("skipped: librxnf_rdma.so was not built, for want of libibverbs and librdmacm");
    return;
  }
  const auto name = connect(library, {.address = "localhost"});
  EXPECT(name->poll(1) == Transport::State::failed);
  EXPECT(name->error() == "rdma localhost port 6379: not an IP address");
  const auto nowhere = connect(library, {.address = "192.0.2.1", .connect_timeout_ns = second});
  EXPECT(nowhere->poll(1) != Transport::State::open);
  EXPECT(nowhere->poll(2 * second) == Transport::State::failed && !nowhere->error().empty());
}

}  // namespace

int main() {
  codec_gives_known_bytes();
  handshake_asks_chooses_and_registers();
  bytes_pass_both_ways();
  a_full_peer_is_waited_for();
  bytes_on_their_way_are_not_overwritten();
  a_reply_cut_at_the_end_continues_after_registration();
  messages_never_exceed_the_receives();
  control_messages_wait_for_a_free_place();
  silence_is_broken_by_a_keepalive();
  for (uint64_t seed = 1; seed <= 200; seed++) random_schedules_keep_both_streams_whole(seed);
  a_peer_that_breaks_the_rules_is_refused();
  a_missing_library_is_named_with_its_mend();
  a_connection_to_nowhere_fails();
}

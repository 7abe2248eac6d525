// The RDMA transport against a real Valkey server, where there is a device: run by the lab.
//
//   rdma_live LIBRARY ADDRESS PORT SCENARIO
//
//   exchange  small commands, and replies and requests larger than both buffers
//   credits   more messages at once than the server has receives, while it is not reading
//   idle      silence longer than the keepalives of both sides
//   ends      prints "ready", and expects the connection to end within 30 s, saying why; stays 3 s
//   refused   expects that there is no connection, saying why
#include <chrono>
#include <string>
#include <thread>

#include "store/remote/rdma.h"
#include "test/support.h"

using namespace rxnf;

namespace {

constexpr uint64_t second = 1'000'000'000;

uint64_t now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

class Client {
 public:
  Client(const char *library, const char *address, const char *port, uint32_t buffer_bytes)
      : transport_(rdma::connect(library, {.address = address,
                                           .port = static_cast<uint16_t>(std::atoi(port)),
                                           .incoming_bytes = buffer_bytes,
                                           .outgoing_bytes = buffer_bytes,
                                           .connect_timeout_ns = 10 * second})) {}

  Transport::State poll() { return transport_->poll(now()); }
  const std::string &error() const { return transport_->error(); }

  bool connect() {
    while (poll() == Transport::State::connecting) std::this_thread::yield();
    return poll() == Transport::State::open;
  }

  // Puts all of it on its way, in pieces of at most `piece` bytes, each a message.
  void send(std::string_view bytes, size_t piece = 1 << 30) {
    const uint64_t deadline = now() + 120 * second;
    while (!bytes.empty()) {
      const size_t length = std::min(bytes.size(), piece);
      const size_t taken =
          transport_->send({reinterpret_cast<const uint8_t *>(bytes.data()), length});
      bytes.remove_prefix(taken);
      if (taken == 0) step(deadline);
    }
  }

  // Waits for exactly these bytes, and that no others came with them.
  void expect(std::string_view reply) {
    const uint64_t deadline = now() + 120 * second;
    while (got_.size() < reply.size()) step(deadline);
    if (got_ != reply) {
      std::fprintf(stderr, "expected %.60s..., got %.60s...\n", reply.data(), got_.c_str());
      std::_Exit(1);
    }
    got_.clear();
  }

  void step(uint64_t deadline) {
    if (poll() != Transport::State::open || now() > deadline) {
      std::fprintf(stderr, "%s\n", error().empty() ? "no reply" : error().c_str());
      std::_Exit(1);
    }
    uint8_t chunk[16384];
    const size_t length = transport_->receive(chunk);
    got_.append(reinterpret_cast<const char *>(chunk), length);
  }

 private:
  std::unique_ptr<Transport> transport_;
  std::string got_;
};

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string pattern(size_t length, char first) {
  std::string text(length, first);
  for (size_t i = 0; i < length; i++)
    text[i] = static_cast<char>('a' + (first + i * 31 + i / 251) % 26);
  return text;
}

void exchange(Client &c) {
  c.send("PING\r\n");
  c.expect("+PONG\r\n");
  c.send("SET key value\r\nGET key\r\nGET nothing\r\n");
  c.expect("+OK\r\n$5\r\nvalue\r\n$-1\r\n");
  // 4 MiB in and out: several times each side's buffer.
  std::string request, reply = "*5\r\n";
  for (char name = 'a'; name < 'e'; name++) {
    const std::string value = pattern(1 << 20, name);
    c.send("*3\r\n$3\r\nSET\r\n$1\r\n" + std::string(1, name) + "\r\n" + bulk(value));
    c.expect("+OK\r\n");
    reply += bulk(value);
  }
  c.send("MGET a b c d none\r\n");
  c.expect(reply + "$-1\r\n");
  c.send("DEL a b c d key\r\n");
  c.expect(":5\r\n");
}

// The server sleeps in the first command, so its receives run out long before it reads again.
void credits(Client &c) {
  constexpr uint32_t messages = 5000;
  c.send("DEBUG SLEEP 1\r\n");
  std::string requests, replies = "+OK\r\n";
  for (uint32_t i = 0; i < messages; i++) requests += "PING\r\n", replies += "+PONG\r\n";
  c.send(requests, 6);
  c.expect(replies);
}

void idle(Client &c) {
  const uint64_t until = now() + 8 * second;
  while (now() < until) {
    c.step(until + second);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  c.send("PING\r\n");
  c.expect("+PONG\r\n");
}

void ends(Client &c) {
  std::puts("ready");
  std::fflush(stdout);
  const uint64_t deadline = now() + 30 * second;
  while (c.poll() == Transport::State::open && now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT(c.poll() == Transport::State::failed);
  std::puts(c.error().c_str());
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::seconds(3));  // holding nothing: a device may go
}

}  // namespace

int main(int count, char **words) {
  EXPECT(count == 5);
  const std::string scenario = words[4];
  for (const uint32_t buffer_bytes : {1u << 20, 1u << 16}) {
    Client client(words[1], words[2], words[3], buffer_bytes);
    const bool connected = client.connect();
    if (scenario == "refused") {
      EXPECT(!connected);
      std::puts(client.error().c_str());
      return 0;
    }
    if (!connected) std::fprintf(stderr, "%s\n", client.error().c_str());
    EXPECT(connected);
    if (scenario == "ends") return ends(client), 0;
    if (scenario == "exchange")
      exchange(client);
    else if (scenario == "credits")
      credits(client);
    else if (scenario == "idle")
      idle(client);
    else
      EXPECT(!"a known scenario");
  }
  std::printf("%s passed\n", scenario.c_str());
}

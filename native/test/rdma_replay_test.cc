// The RDMA stream against an exchange recorded with a real Valkey server (rdma_record.cc): given
// what the server sent, and what the application wanted sent, it posts what the recorded client
// posted, byte for byte: control messages, offsets, immediate values, payload, in the same order.
#include <deque>
#include <fstream>
#include <string>
#include <vector>

#include "store/remote/rdma_stream.h"
#include "test/support.h"

using namespace rxnf;
using namespace rxnf::rdma;

namespace {

// One event is one line, `"name": "text"` or `"name": number` each.
std::string field(const std::string &line, const std::string &name) {
  const std::string key = "\"" + name + "\": ";
  const size_t found = line.find(key);
  if (found == std::string::npos) return "";
  const size_t begin = found + key.size();
  if (line[begin] == '"') return line.substr(begin + 1, line.find('"', begin + 1) - begin - 1);
  return line.substr(begin, line.find_first_of(",}", begin) - begin);
}

// Hex, with runs as (byte*count).
std::vector<uint8_t> bytes_of(const std::string &text) {
  std::vector<uint8_t> bytes;
  const auto byte = [&](size_t at) {
    return static_cast<uint8_t>(std::stoul(text.substr(at, 2), nullptr, 16));
  };
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '(') {
      bytes.insert(bytes.end(), std::stoul(text.substr(i + 4)), byte(i + 1));
      i = text.find(')', i) + 1;
    } else {
      bytes.push_back(byte(i));
      i += 2;
    }
  }
  return bytes;
}

class Replay final : public Verbs {
 public:
  explicit Replay(const char *file) : receives_(receive_depth * 32), commands_(command_slots * 32) {
    std::ifstream in(file);
    std::string line, buffer;
    while (std::getline(in, line)) {
      if (line.find("clientBuffer") != std::string::npos) buffer = line;
      if (line.starts_with("{\"us\"")) events_.push_back(line);
    }
    EXPECT(!buffer.empty() && events_.size() > 40);
    incoming_.resize(std::stoul(field(buffer, "bytes")));
    memory_ = {
        .receives = receives_,
        .commands = commands_,
        .outgoing = outgoing_,
        .incoming = incoming_,
        .incoming_address = std::stoull(field(buffer, "address"), nullptr, 16),
        .incoming_key = static_cast<uint32_t>(std::stoul(field(buffer, "key"), nullptr, 16))};
  }

  void run() {
    Stream stream(*this, memory_);
    stream.prepare();
    EXPECT(free_.size() == receive_depth);
    stream.established(0);
    for (const std::string &event : events_) {
      const uint64_t now_ns = std::stoull(field(event, "us")) * 1000;
      const auto payload = bytes_of(field(event, "write"));
      if (field(event, "by") == "server") {
        stream.flush(now_ns);
        from_server(stream, event, payload);
      } else if (!payload.empty()) {
        stream.flush(now_ns);
        EXPECT(stream.send(payload) == payload.size());
      }
      stream.flush(now_ns);
      if (field(event, "by") == "client" && field(event, "end").empty())
        expect_posted(event, payload);
      EXPECT(!stream.failed());
    }
    EXPECT(posted_.empty());
    EXPECT(received_ > 2 * incoming_.size());  // its end was met twice
  }

 private:
  int post_receive(uint32_t slot) override {
    free_.push_back(slot);
    return 0;
  }

  int post_command(uint32_t offset) override {
    posted_.push_back({.command = {&commands_[offset], &commands_[offset] + 32}});
    return 0;
  }

  int post_write(uint32_t offset, uint32_t length, uint64_t address, uint32_t key) override {
    EXPECT(key == server_key_);
    posted_.push_back({.command = {},
                       .payload = {&outgoing_[offset], &outgoing_[offset] + length},
                       .offset = address - server_address_});
    return 0;
  }

  void from_server(Stream &stream, const std::string &event, const std::vector<uint8_t> &payload) {
    const uint32_t slot = free_.front();
    free_.pop_front();
    if (payload.empty()) {
      const auto message = bytes_of(field(event, "send"));
      EXPECT(message.size() == 32);
      if (message[1] == 3) {
        server_address_ = big_endian(*reinterpret_cast<const uint64_t *>(&message[16]));
        server_key_ = big_endian(*reinterpret_cast<const uint32_t *>(&message[28]));
      }
      std::memcpy(&receives_[slot * 32], message.data(), 32);
      stream.received(slot, 32);
      return;
    }
    const size_t offset = std::stoul(field(event, "offset"));
    EXPECT(offset == received_ % incoming_.size());
    std::memcpy(&incoming_[offset], payload.data(), payload.size());
    uint32_t imm;
    std::memcpy(&imm, bytes_of(field(event, "imm")).data(), 4);
    stream.received_write(slot, imm);
    std::vector<uint8_t> got(payload.size() + 1);
    EXPECT(stream.receive(got) == payload.size());
    EXPECT(std::memcmp(got.data(), payload.data(), payload.size()) == 0);
    received_ += payload.size();
  }

  // What the recorded client posted now is the oldest of what the stream has posted.
  void expect_posted(const std::string &event, const std::vector<uint8_t> &payload) {
    EXPECT(!posted_.empty());
    const Posted p = std::move(posted_.front());
    posted_.pop_front();
    EXPECT(p.command == bytes_of(field(event, "send")) && p.payload == payload);
    if (payload.empty()) return;
    EXPECT(p.offset == std::stoul(field(event, "offset")));
    EXPECT(std::stoul(field(event, "imm"), nullptr, 16) == payload.size());
  }

  struct Posted {
    std::vector<uint8_t> command{}, payload{};
    uint64_t offset = 0;
  };

  std::vector<std::string> events_;
  std::vector<uint8_t> receives_, commands_, outgoing_ = std::vector<uint8_t>(1 << 20), incoming_;
  Memory memory_;
  std::deque<uint32_t> free_;
  std::deque<Posted> posted_;
  uint64_t server_address_ = 0;
  uint32_t server_key_ = 0;
  size_t received_ = 0;
};

}  // namespace

int main() { Replay(RXNF_FIXTURES "/valkey-rdma-exchange.json").run(); }

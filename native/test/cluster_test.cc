// Slots, slot maps and redirections of a cluster. Where RXNF_CASES names the folder of cases, slots
// as a server computes them.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "store/remote/cluster/refusal.h"
#include "store/remote/cluster/slot_map.h"
#include "support.h"

using rxnf::cluster::read_refusal;
using rxnf::cluster::Refusal;
using rxnf::cluster::slot_of;
using rxnf::cluster::SlotMap;
using rxnf::test::Random;

namespace {

// The specification's check value and its examples of tags.
void hashes_keys_and_their_tags() {
  static_assert(slot_of("123456789") == 0x31c3);
  EXPECT(slot_of("") == 0);
  EXPECT(slot_of("{user1000}.following") == slot_of("user1000"));
  EXPECT(slot_of("foo{}{bar}") != slot_of("bar"));
  EXPECT(slot_of("foo{{bar}}zap") == slot_of("{bar"));
  EXPECT(slot_of("foo{bar}{zap}") == slot_of("bar"));
}

std::string from_hex(const std::string &hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// {"key_hex": "...", ... "slot": N} over and over; any other shape finds no cases and fails.
void agrees_with_a_server() {
  const char *folder = std::getenv("RXNF_CASES");
  if (!folder) {
    std::printf("skipped: RXNF_CASES names no folder of cases\n");
    return;
  }
  std::ifstream file(std::string(folder) + "/store/cluster_slots_sample.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  uint32_t cases = 0;
  for (size_t at = 0; (at = text.find("\"key_hex\":", at)) != std::string::npos;) {
    const size_t open = text.find('"', at + 10), close = text.find('"', open + 1);
    const size_t slot = text.find("\"slot\":", close);
    EXPECT(slot != std::string::npos);
    const std::string key = from_hex(text.substr(open + 1, close - open - 1));
    EXPECT(slot_of(key) == static_cast<uint32_t>(std::stoul(text.substr(slot + 7))));
    cases++, at = slot;
  }
  EXPECT(cases > 100);
}

std::string blob(const std::string &s) {
  return "$" + std::to_string(s.size()) + "\r\n" + s + "\r\n";
}

std::string node(const std::string &host, int port) {
  return "*4\r\n" + blob(host) + ":" + std::to_string(port) + "\r\n" + blob("0123") + "*2\r\n" +
         blob("hostname") + blob("h");
}

std::string range(int first, int last, const std::string &nodes, int count) {
  return "*" + std::to_string(2 + count) + "\r\n:" + std::to_string(first) +
         "\r\n:" + std::to_string(last) + "\r\n" + nodes;
}

bool read(SlotMap &map, const std::string &reply) {
  return map.read(reinterpret_cast<const uint8_t *>(reply.data()), reply.size(), "asked");
}

void reads_a_map_with_replicas_and_metadata() {
  SlotMap map;
  EXPECT(map.stale() && map.unowned() == 16384);
  const std::string reply = "*2\r\n" +
                            range(0, 9999, node("10.0.0.1", 7000) + node("10.0.0.4", 7003), 2) +
                            range(10000, 16383, node("", 7001), 1);
  EXPECT(read(map, reply));
  EXPECT(!map.stale() && map.unowned() == 0 && map.nodes() == 2);
  EXPECT(map.node(map.owner(9999)).host == "10.0.0.1");
  EXPECT(map.node(map.owner(10000)).host == "asked");
  EXPECT(map.node(map.owner(10000)).port == 7001);
  for (size_t cut = 0; cut < reply.size(); cut++) {
    EXPECT(!read(map, reply.substr(0, cut)));
    EXPECT(map.owner(0) == 0 && map.unowned() == 0);
  }
  EXPECT(!read(map, reply + "+"));
}

void keeps_the_index_of_a_node_that_stays() {
  SlotMap map;
  EXPECT(read(map, "*1\r\n" + range(0, 16383, node("a", 1), 1)));
  EXPECT(map.move(7, "b", 2));
  EXPECT(map.stale() && map.owner(7) == 1 && map.owner(8) == 0);
  EXPECT(!map.move(16384, "b", 2));
  EXPECT(read(map, "*1\r\n" + range(0, 9, node("b", 2), 1)));
  EXPECT(map.owner(0) == 1 && map.unowned() == 16384 - 10 && map.nodes() == 2);
  const uint16_t known = map.add("c", 3);
  EXPECT(known != SlotMap::no_node && map.add("c", 3) == known);
  EXPECT(!map.owners()[known] && map.owners()[map.owner(7)]);
}

void refuses_what_is_no_map() {
  SlotMap map;
  for (const char *reply :
       {"", "+OK\r\n", "*-1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n", "-ERR This instance has cluster\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n$1\r\na\r\n"})
    EXPECT(!read(map, reply));
  EXPECT(map.nodes() == 0 && map.unowned() == 16384);
  Random random(1);
  const std::string good = "*1\r\n" + range(0, 16383, node("a", 1), 1);
  for (int n = 0; n < 20000; n++) {
    std::string bent = good;
    bent[random.below(static_cast<uint32_t>(bent.size()))] = static_cast<char>(random());
    SlotMap any;
    read(any, bent);
  }
}

void tells_refusals_apart() {
  const auto moved = read_refusal("MOVED 3999 127.0.0.1:6381");
  EXPECT(moved.refusal == Refusal::moved && moved.slot == 3999 && moved.port == 6381);
  EXPECT(moved.host == "127.0.0.1");
  EXPECT(read_refusal("ASK 1 ::1:7000").host == "::1");
  EXPECT(read_refusal("MOVED 1 :7000").host.empty());
  for (const char *bent : {"MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED x a:1", "MOVED 1 a",
                           "ASK 1 a:0", "ASK 1 a:70000", "MOVED 1 a:"})
    EXPECT(read_refusal(bent).refusal == Refusal::other);
  EXPECT(read_refusal("TRYAGAIN Multiple keys").refusal == Refusal::try_again);
  EXPECT(read_refusal("READONLY You can't write").refusal == Refusal::read_only);
  EXPECT(read_refusal("OOM command not allowed").refusal == Refusal::out_of_memory);
  EXPECT(read_refusal("NOPERM x").refusal == Refusal::denied);
  EXPECT(read_refusal("ERR Function not found").refusal == Refusal::no_function);
  EXPECT(read_refusal("ERR syntax").refusal == Refusal::other);
  EXPECT(is_for_another_node(Refusal::try_again) && !is_for_another_node(Refusal::loading));
  EXPECT(may_be_repeated(Refusal::ask) && !may_be_repeated(Refusal::out_of_memory));
}

}  // namespace

int main() {
  hashes_keys_and_their_tags();
  agrees_with_a_server();
  reads_a_map_with_replicas_and_metadata();
  keeps_the_index_of_a_node_that_stays();
  refuses_what_is_no_map();
  tells_refusals_apart();
  return 0;
}

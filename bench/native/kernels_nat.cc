// What do rxnf's own kernels cost with nothing around them? The NAT's passes, in the order in which
// src/nfs/nat/nat.ts composes them, looped in C++ over one lane: no JavaScript, no call boundary.
// The difference to rxnf-nat is what composing in TypeScript costs.
#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "harness.h"
#include "kernels/express.h"
#include "kernels/lookup.h"
#include "kernels/parse.h"
#include "kernels/rewrite.h"
#include "kernels/route.h"
#include "kernels/translate.h"
#include "kernels/write.h"
#include "lane/lane.h"
#include "port/dpdk.h"
#include "store/number_pool.h"
#include "store/table.h"
#include "world.h"

namespace {

using namespace rxnf;

constexpr uint32_t mark_inside = 1u << 24, mark_external = 1u << 25, mark_crossing = 1u << 26;
constexpr uint32_t binding_register = 0, port_register = 1;

// As src/nfs/nat/tables.ts lays them out.
struct Binding {
  uint32_t address, remote_address;
  uint16_t port, remote_port;
  uint8_t state, shared, zero[2];
};
struct PortRecord {
  uint32_t address;
  uint16_t port, zero;
};

void check(int result, const rxnf_error &error) {
  if (result != 0) bench::fail(error.message);
}

// The lane's ports, by way of the library that the addon loads.
class Ports {
 public:
  Ports(const char *program, int argc, char **argv, const bench::Options &o) {
    const auto path = std::filesystem::canonical(program).parent_path().parent_path();
    void *handle = dlopen((path / "librxnf_dpdk.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (handle == nullptr) bench::fail(dlerror());
    library_ = reinterpret_cast<decltype(&rxnf_dpdk_library_get)>(
        dlsym(handle, "rxnf_dpdk_library_get"))();
    check(library_->start(argc, argv, &error_), error_);
    check(library_->open_pool(o.flows + bench::spare_buffers, bench::frame_room, &pool, &error_),
          error_);
    check(library_->register_thread(&error_), error_);
  }
  rxnf_queue open(const char *device) {
    rxnf_dpdk_port_config c{};
    c.device = device;
    c.queues = 1;
    c.receive_descriptors = c.transmit_descriptors = 512;
    c.mtu = bench::mtu;
    rxnf_dpdk_port_info info{};
    check(library_->open_port(&c, &info, &error_), error_);
    uint32_t filtered = 0;
    check(library_->start_port(info.ethdev, &filtered, &error_), error_);
    std::memcpy(mac, info.mac, sizeof mac);
    rxnf_queue queue{};
    check(library_->open_queue(info.ethdev, 0, &queue, &error_), error_);
    return queue;
  }

  rxnf_pool pool{};
  uint8_t mac[6] = {};  // of the port opened last

 private:
  const rxnf_dpdk_library *library_ = nullptr;
  rxnf_error error_{};
};

// New flows, as src/nfs/nat/bind.ts and port-allocator.ts decide about them.
class Binder {
 public:
  Binder() {
    for (uint32_t a = 0; a < bench::pool_size; a++)
      for (int kind = 0; kind < 3; kind++)
        pools_.push_back(std::make_unique<NumberPool>(0, kind == 0 ? 64'512 : 32'256));
  }

  void decide(Batch &b) {
    Register &bindings = b.registers[binding_register], &ports = b.registers[port_register];
    const int32_t attended = b.header->attended[binding_register];
    for (int32_t n = 0; n < attended; n++) {
      const uint16_t row = bindings.attended[n];
      if (bindings.leader[row] != row) continue;
      if (bindings.state[row] == static_cast<uint8_t>(Lookup::hit)) {
        // The first segment after the one that opened it: the connection is established.
        std::memcpy(bindings.next + size_t{row} * bindings.stride,
                    bindings.record + size_t{row} * bindings.stride, bindings.stride);
        stage(b, bindings, binding_register, row, 1, Write::swap);
        continue;
      }
      const Flow &f = b.flow[row];
      uint32_t address, port;
      if (!allocate(f, address, port)) {
        b.verdict[row] = verdict::drop(static_cast<uint32_t>(Reason::table_full));
        continue;
      }
      const PortRecord reserved{f.source, f.source_port, 0};
      ports.key[row] = {
          address | static_cast<uint64_t>(port) << 32 | static_cast<uint64_t>(f.protocol) << 48, 0};
      std::memcpy(ports.next + size_t{row} * ports.stride, &reserved, sizeof reserved);
      stage(b, ports, port_register, row, 0);
      const Binding binding{
          address, f.destination, static_cast<uint16_t>(port), f.destination_port, 0, 0, {}};
      std::memcpy(bindings.next + size_t{row} * bindings.stride, &binding, sizeof binding);
      stage(b, bindings, binding_register, row, f.protocol == 6 ? watched : 2);
    }
  }

 private:
  static void stage(Batch &b, Register &r, uint32_t reg, uint16_t row, uint8_t timer,
                    Write kind = Write::insert) {
    r.write[row] = static_cast<uint8_t>(kind);
    r.timer[row] = timer;
    r.staged[b.header->staged[reg]++] = row;
  }

  bool allocate(const Flow &f, uint32_t &address, uint32_t &port) {
    const uint32_t start = __builtin_bswap32(f.source) * 0x9e3779b1u;
    const uint32_t inside = __builtin_bswap16(f.source_port);
    for (uint32_t k = 0; k < bench::pool_size; k++) {
      const uint32_t index = (start + k) % bench::pool_size;
      const uint32_t kind = f.protocol == 17 ? 1 + (inside & 1) : 0;
      uint32_t number;
      if (pools_[index * 3 + kind]->take(&number, 1) == 0) continue;
      address = __builtin_bswap32(bench::pool_first + index);
      const uint32_t external = kind == 0 ? 1024 + number : 1024 + 2 * number + (kind - 1);
      port = __builtin_bswap16(static_cast<uint16_t>(external));
      return true;
    }
    return false;
  }

  std::vector<std::unique_ptr<NumberPool>> pools_;
};

TableConfig table(uint32_t capacity, uint32_t record_size, uint32_t idle_ms, uint64_t seed) {
  TableConfig c{};
  c.capacity = capacity;
  c.record_size = record_size;
  for (auto &idle : c.idle_ms) idle = idle_ms;
  c.seed = seed;
  return c;
}

RouteConfig routes(Where where) {
  RouteConfig c;
  c.where = where;
  for (const auto &r : bench::routes)
    c.prefixes.push_back({r.address, r.length, r.port, __builtin_bswap32(r.via),
                          r.port == bench::outside ? mark_crossing : 0});
  c.ports = {{bench::mtu}, {bench::mtu}};
  return c;
}

ParseConfig parsing(const Ports &ports) {
  ParseConfig c;
  c.ports.resize(2);
  std::memcpy(c.ports[bench::inside].mac, ports.mac, 6);
  c.ports[bench::inside].marks = mark_inside;
  for (uint32_t i = 0; i < bench::pool_size; i++)
    c.addresses.push_back(
        {__builtin_bswap32(bench::pool_first + i), mark_external | mark_crossing});
  return c;
}

}  // namespace

int main(int argc, char **argv) {
  int eal = 0;
  while (eal < argc && std::strcmp(argv[eal], "--") != 0) eal++;
  const bench::Options o = bench::parse_options(argc - eal, argv + eal);
  Ports ports(argv[0], eal, argv, o);
  const rxnf_queue outside = ports.open("net_null0"), inside = ports.open("net_pcap0");

  Lane lane(ports.pool, {2, o.burst + 32, o.burst, {sizeof(Binding), sizeof(PortRecord)}, 1});
  lane.add_port(bench::inside, inside);
  lane.add_port(bench::outside, outside);
  Table bindings(table(o.capacity, sizeof(Binding), o.idle_ms, 1));
  Table external(table(o.capacity, sizeof(PortRecord), 0, 2));
  Table neighbours(table(64, sizeof(NeighbourRecord), 0, 3));
  for (const auto &n : bench::neighbours) {
    NeighbourRecord record{};
    std::memcpy(record.link.destination, n.mac.data(), 6);
    const Key key = neighbour_key(n.port, __builtin_bswap32(n.address));
    Entry *e = nullptr;
    neighbours.insert(neighbours.hash(key), key, reinterpret_cast<const uint8_t *>(&record), 0,
                      lane.writer().version(), 0, &e);
  }

  const Where elsewhere{trait::ipv4, mark_external};
  const Where outbound{trait::has_flow | mark_inside | mark_crossing, 0};
  ExpressConfig established;
  established.parse = parsing(ports);
  established.route = routes({});
  established.inside = mark_inside;
  established.external = mark_external;
  established.outside = mark_crossing;
  established.source = {&bindings, 0, 8, true};
  established.destination = {&external, 0, 4, false};
  ExpressKernel express(ports.pool.base, neighbours, established);
  Parse parse(ports.pool.base, parsing(ports));
  RouteKernel route(ports.pool.base, neighbours, routes(elsewhere));
  LookupKernel lookup(ports.pool.base, bindings,
                      {binding_register,
                       KeyOf::source_endpoint,
                       outbound,
                       {outbound.all, trait::icmp_error},
                       trait::tcp_control,
                       false,
                       true});
  WriteKernel reserve(external, port_register, lane.writer());
  WriteKernel publish(bindings, binding_register, lane.writer());
  TranslateKernel translate({binding_register, edit::source, {}, 0, 8});
  RewriteKernel rewrite(ports.pool.base);
  Binder binder;

  std::vector<Batch> batches;
  for (uint32_t i = 0; i < 2; i++) batches.push_back(lane.layout().at(lane.block(), i));
  Batch &b = batches[0];
  bench::measure(
      o,
      [&] {
        lane.control().receive_into = 0;
        lane.breathe();
        const int32_t received = lane.control().arrived;
        if (express.run(b) > 0) {
          parse.run(b);
          route.run(b);
          if (lookup.run(b) > 0) {
            binder.decide(b);
            reserve.run(b);
            publish.run(b);
          }
          translate.run(b);
          rewrite.run(b);
        }
        lane.control().transmit[0] = 0;
        lane.control().transmit_count = 1;
        return static_cast<uint32_t>(received);
      },
      [] {}, [](uint64_t) { return std::string(); });
  return 0;
}

// Makes kernels from option objects; each belongs to one lane and is named by a number.
#include "addon/environment.h"
#include "kernels/express.h"
#include "kernels/express_lookup.h"
#include "kernels/lookup.h"
#include "kernels/parse.h"
#include "kernels/rewrite.h"
#include "kernels/route.h"
#include "kernels/translate.h"
#include "kernels/verdict.h"
#include "kernels/write.h"

namespace rxnf::addon {
namespace {

void bytes6(const Napi::Object &o, const char *key, uint8_t *out) {
  const Napi::Value v = o.Get(key);
  if (!v.IsTypedArray()) return;
  const auto a = v.As<Napi::Uint8Array>();
  if (a.ElementLength() >= 6) std::memcpy(out, a.Data(), 6);
}

ParseConfig parse_config(const Napi::Object &o) {
  ParseConfig c;
  for (const auto &p : objects(o, "ports")) {
    ParsePort port;
    bytes6(p, "mac", port.mac);
    port.accept_any = flag(p, "acceptAny");
    port.marks = u32(p, "marks");
    c.ports.push_back(port);
  }
  for (const auto &a : objects(o, "addresses"))
    c.addresses.push_back({__builtin_bswap32(u32(a, "address")), u32(a, "marks")});
  return c;
}

std::unique_ptr<Kernel> translate_kernel(const Napi::Object &o) {
  TranslateConfig c;
  c.reg = u32(o, "register");
  c.side = static_cast<uint8_t>(u32(o, "side"));
  c.where = where(o, "where");
  c.address_offset = u32(o, "addressOffset");
  c.port_offset = u32(o, "portOffset");
  c.otherwise = static_cast<int32_t>(u32(o, "otherwise"));
  return std::make_unique<TranslateKernel>(c);
}

// False when a prefix names a port that is not there.
bool route_config(const Napi::Object &o, RouteConfig &c) {
  c.where = where(o, "where");
  for (const auto &p : objects(o, "prefixes"))
    c.prefixes.push_back({u32(p, "address"), static_cast<uint8_t>(u32(p, "length")),
                          static_cast<uint8_t>(u32(p, "egress")),
                          __builtin_bswap32(u32(p, "gateway")), u32(p, "marks")});
  for (const auto &p : objects(o, "ports")) c.ports.push_back({u32(p, "mtu", 1500)});
  for (const auto &p : c.prefixes)
    if (p.egress >= c.ports.size() || p.length > 32) return false;
  return true;
}

std::unique_ptr<Kernel> route_kernel(const Napi::Object &o, Lane &lane, Table &table) {
  RouteConfig c;
  if (!route_config(o, c)) return nullptr;
  return std::make_unique<RouteKernel>(lane.pool().base, table, c);
}

Table *table_of(const Environment &e, const Napi::Object &o) {
  const uint32_t number = u32(o, "table", 0xffffffff);
  return number < e.tables.size() ? e.tables[number].get() : nullptr;
}

bool express_lane(const Napi::Object &o, const Environment &e, ExpressLane &out) {
  Table *table = table_of(e, o);
  if (!table) return false;
  out = {table, u32(o, "addressOffset"), u32(o, "portOffset"), flag(o, "refresh")};
  return true;
}

std::unique_ptr<Kernel> express_kernel(const Napi::Object &o, const Environment &e, Lane &lane,
                                       Table &neighbours) {
  ExpressConfig c;
  c.parse = parse_config(o.Get("parse").As<Napi::Object>());
  c.inside = u32(o, "inside");
  c.external = u32(o, "external");
  c.outside = u32(o, "outside");
  if (!route_config(o.Get("route").As<Napi::Object>(), c.route) ||
      !express_lane(o.Get("source").As<Napi::Object>(), e, c.source) ||
      !express_lane(o.Get("destination").As<Napi::Object>(), e, c.destination))
    return nullptr;
  return std::make_unique<ExpressKernel>(lane.pool().base, neighbours, c);
}

std::unique_ptr<Kernel> express_lookup_kernel(const Napi::Object &o, const Environment &e,
                                              Lane &lane) {
  ExpressLookupConfig c;
  c.parse = parse_config(o.Get("parse").As<Napi::Object>());
  if (o.Get("route").IsObject()) {
    const auto route = o.Get("route").As<Napi::Object>();
    c.neighbours = table_of(e, route);
    if (!c.neighbours || !route_config(route, c.route)) return nullptr;
  }
  for (const auto &l : objects(o, "lookups")) {
    const LookupConfig lookup = lookup_config(l);
    Table *table = table_of(e, l);
    if (!table || lookup.reg >= lane.layout().strides.size() || lookup.key > KeyOf::flow)
      return nullptr;
    c.lookups.push_back({table, lookup.reg, lookup.key, lookup.where, lookup.refresh});
  }
  return std::make_unique<ExpressLookupKernel>(lane.pool().base, c);
}

std::unique_ptr<Kernel> rejoin_kernel(const Napi::Object &o, const Lane &lane) {
  std::vector<uint32_t> registers;
  for (const auto &l : objects(o, "lookups")) {
    registers.push_back(u32(l, "register"));
    if (registers.back() >= lane.layout().strides.size()) return nullptr;
  }
  return std::make_unique<RejoinKernel>(std::move(registers));
}

// createKernel(lane, kind, options): options.table where the kernel reads or writes one.
Napi::Value create(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Environment &e = environment(env);
  auto lane = item(info, 0, e.lanes, "lane");
  if (!lane) return env.Undefined();
  const std::string kind = info[1].ToString();
  const auto o = info[2].As<Napi::Object>();
  Table *table = table_of(e, o);
  if (u32(o, "register") >= lane->layout().strides.size() && !lane->layout().strides.empty()) {
    fail(env, "ERR_KERNEL_CONFIG", kind + ": no such register");
    return env.Undefined();
  }
  std::unique_ptr<Kernel> kernel;
  if (kind == "parse") kernel = std::make_unique<Parse>(lane->pool().base, parse_config(o));
  if (kind == "express" && table) kernel = express_kernel(o, e, *lane, *table);
  if (kind == "expressLookup") kernel = express_lookup_kernel(o, e, *lane);
  if (kind == "rejoin") kernel = rejoin_kernel(o, *lane);
  if (kind == "join") kernel = std::make_unique<JoinKernel>();
  if (kind == "lookup" && table)
    kernel = std::make_unique<LookupKernel>(lane->pool().base, *table, lookup_config(o));
  if (kind == "write" && table)
    kernel = std::make_unique<WriteKernel>(*table, u32(o, "register"), lane->writer());
  if (kind == "verdict")
    kernel =
        std::make_unique<VerdictKernel>(where(o, "where"), static_cast<int32_t>(u32(o, "verdict")));
  if (kind == "translate") kernel = translate_kernel(o);
  if (kind == "route" && table) kernel = route_kernel(o, *lane, *table);
  if (kind == "rewrite") kernel = std::make_unique<RewriteKernel>(lane->pool().base);
  if (!kernel) {
    fail(env, "ERR_KERNEL_CONFIG", kind + ": unknown kernel, or its options or table are wrong");
    return env.Undefined();
  }
  return Napi::Number::New(env, lane->add_kernel(std::move(kernel)));
}

}  // namespace

LookupConfig lookup_config(const Napi::Object &o) {
  LookupConfig c;
  c.reg = u32(o, "register");
  c.key = static_cast<KeyOf>(u32(o, "key"));
  c.where = where(o, "where");
  c.refresh = where(o, "refresh");
  c.attend_any = u32(o, "attendAny");
  c.attend_all = flag(o, "attendAll");
  c.attend_misses = flag(o, "attendMisses");
  return c;
}

void export_kernels(Napi::Env env, Napi::Object exports) {
  exports.Set("createKernel", Napi::Function::New<create>(env));
}

}  // namespace rxnf::addon

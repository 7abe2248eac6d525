// Clients of remote stores for JavaScript: one for each lane.
//
// What is done for every batch goes through small integers; what a poll brought lies in arrays that
// JavaScript sees (store/remote/client.h).
#include <poll.h>

#include <chrono>
#include <utility>

#include "addon/environment.h"
#include "store/remote/cluster/refusal.h"
#include "store/remote/greeting.h"

namespace rxnf::addon {
namespace {

using namespace remote;

uint64_t milliseconds(const Napi::Object &o, const char *key, uint32_t otherwise) {
  return uint64_t{u32(o, key, otherwise)} * 1'000'000;
}

ConnectionOptions connection_options(const Napi::Object &o) {
  ConnectionOptions c;
  const std::string scheme = text(o, "scheme");
  c.endpoint.scheme = scheme == "unix"     ? Scheme::unix_socket
                      : scheme == "rediss" ? Scheme::tls
                      : scheme == "rdma"   ? Scheme::rdma
                                           : Scheme::tcp;
  c.endpoint.path = text(o, "path");
  c.endpoint.host = text(o, "host");
  c.endpoint.port = static_cast<uint16_t>(u32(o, "port", 6379));
  c.endpoint.authorities = text(o, "authorities");
  c.endpoint.server_name = text(o, "serverName");
  c.endpoint.certificate = text(o, "certificate");
  c.endpoint.private_key = text(o, "privateKey");
  c.login.user = text(o, "username");
  c.login.password = text(o, "password");
  c.login.client_name = text(o, "clientName");
  c.login.database = u32(o, "database");
  c.login.library = text(o, "library");
  c.login.revision = u32(o, "revision");
  c.connect_timeout_ns = milliseconds(o, "connectMilliseconds", 1000);
  c.request_timeout_ns = milliseconds(o, "requestMilliseconds", 1000);
  if (const uint32_t bound = u32(o, "inFlight")) c.in_flight = bound;
  return c;
}

Napi::Value words_of(Napi::Env env, const Call &call) {
  auto words = Napi::Uint32Array::New(env, call.words().size());
  std::copy(call.words().begin(), call.words().end(), words.Data());
  return words;
}

// Where a node of a cluster says that a request is to go.
struct Elsewhere : Referrals {
  bool take(Request &, const std::string &error, uint64_t) override {
    const auto r = cluster::read_refusal(error);
    if (!cluster::is_for_another_node(r.refusal)) return false;
    host = r.host;
    port = r.port;
    referred = true;
    return true;
  }
  bool referred = false;
  std::string host;
  uint16_t port = 0;
};

// askServer(options, command): the reply's words. Waits for it, bounded by the options' times; for
// the start of an instance, before it has packets to attend to.
Napi::Value ask(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  ConnectionOptions options = connection_options(info[0].As<Napi::Object>());
  const auto command = info[1].As<Napi::Uint8Array>();
  const auto now = [] {
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  };
  Elsewhere elsewhere;
  auto connection = std::make_unique<Connection>(options, &elsewhere);
  Call call;
  call.prepare(command.Data(), command.ByteLength());
  call.go();
  connection->submit(call, now());
  const uint64_t limit = now() + options.connect_timeout_ns + options.request_timeout_ns;
  std::string problem;
  while (call.state() == Call::State::out && now() < limit) {
    connection->poll(now());
    if (!connection->problem().empty()) problem = connection->problem();
    pollfd p{connection->descriptor(), POLLIN, 0};
    ::poll(&p, p.fd >= 0, 1);
    if (!std::exchange(elsewhere.referred, false)) continue;
    if (!elsewhere.host.empty()) options.endpoint.host = elsewhere.host;
    if (elsewhere.port != 0) options.endpoint.port = elsewhere.port;
    connection = std::make_unique<Connection>(options, &elsewhere);
    connection->submit(call, now());
  }
  if (call.state() == Call::State::answered) return words_of(env, call);
  const bool refused = problem.find("NOAUTH") != std::string::npos ||
                       problem.find("WRONGPASS") != std::string::npos ||
                       problem.find("NOPERM") != std::string::npos;
  fail(env, refused ? "ERR_STORE_REFUSED" : "ERR_STORE_UNREACHABLE",
       problem.empty() ? options.endpoint.name() + ": no answer in time" : problem);
  return env.Undefined();
}

// Of a cluster, those that are known.
std::vector<cluster::Node> nodes_of(const Napi::Object &o) {
  std::vector<cluster::Node> nodes;
  if (!o.Get("nodes").IsArray()) return nodes;
  const auto list = o.Get("nodes").As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto node = list.Get(i).As<Napi::Object>();
    nodes.push_back({text(node, "host"), static_cast<uint16_t>(u32(node, "port"))});
  }
  return nodes;
}

// openRemote(lane, options): { client, events, replies }
Napi::Value open(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto lane = item(info, 0, environment(env).lanes, "lane");
  if (!lane) return env.Undefined();
  const auto o = info[1].As<Napi::Object>();
  const auto r = o.Get("reasons").As<Napi::Object>();
  const Reasons reasons{u32(r, "unavailable"), u32(r, "timeout"),        u32(r, "full"),
                        u32(r, "refused"),     u32(r, "schemaMismatch"), u32(r, "unproved")};
  auto client = std::make_shared<Client>(lane, connection_options(o), nodes_of(o),
                                         u32(o, "partitions", 1), reasons);
  auto opened = Napi::Object::New(env);
  opened.Set("events", wrap(env, client->events(), Client::max_events * sizeof(Event), client));
  opened.Set("replies",
             wrap(env, client->replies(), Client::reply_words * sizeof(uint32_t), client));
  opened.Set("client", add(env, environment(env).clients, client));
  return opened;
}

// closeRemote(client): settles everything and disconnects.
Napi::Value close(const Napi::CallbackInfo &info) {
  auto &clients = environment(info.Env()).clients;
  if (auto client = item(info, 0, clients, "client")) {
    client->close();
    clients[info[0].ToNumber().Uint32Value()].reset();
  }
  return info.Env().Undefined();
}

// redirectRemote(client, host, port): the primary is there
Napi::Value redirect(const Napi::CallbackInfo &info) {
  if (auto client = item(info, 0, environment(info.Env()).clients, "client"))
    client->redirect(info[1].ToString(), static_cast<uint16_t>(info[2].ToNumber().Uint32Value()));
  return info.Env().Undefined();
}

// addRemoteTable(client, name, { recordSize, schemaVersion, schema, idle, replicas,
// partitionCapacity })
Napi::Value add_table(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto client = item(info, 0, environment(env).clients, "client");
  if (!client) return env.Undefined();
  const auto o = info[2].As<Napi::Object>();
  Schema schema{};
  schema.record_size = u32(o, "recordSize");
  schema.version = static_cast<uint16_t>(u32(o, "schemaVersion"));
  schema.name = u32(o, "schema");
  schema.replicas = u32(o, "replicas");
  const auto idle = o.Get("idle").As<Napi::Array>();
  for (uint32_t i = 0; i < idle.Length() && i < 4; i++)
    schema.idle_ms[i] = idle.Get(i).ToNumber().Uint32Value();
  const std::string name = info[1].ToString();
  const int32_t table = client->add_table(name, schema, u32(o, "partitionCapacity"));
  if (table < 0)
    fail(env, "ERR_STORE_TABLE",
         "table " + name + ": names have up to " + std::to_string(max_table_name) +
             " bytes, and a store up to " + std::to_string(Client::max_tables) + " tables");
  return Napi::Number::New(env, table);
}

// The client whose table argument 1 names, and whose register `reg` its lane has; or null.
std::shared_ptr<Client> client_of(const Napi::CallbackInfo &info, uint32_t reg) {
  auto client = item(info, 0, environment(info.Env()).clients, "client");
  if (!client) return nullptr;
  if (!client->has_table(info[1].ToNumber().Uint32Value()) ||
      reg >= client->lane().layout().strides.size()) {
    fail(info.Env(), "ERR_NATIVE_HANDLE", "no such table or register");
    return nullptr;
  }
  return client;
}

// addRemoteLookup(client, table, lookup options)
Napi::Value add_lookup(const Napi::CallbackInfo &info) {
  const LookupConfig config = lookup_config(info[2].As<Napi::Object>());
  auto client = client_of(info, config.reg);
  if (!client) return info.Env().Undefined();
  return Napi::Number::New(info.Env(),
                           client->add_lookup(info[1].ToNumber().Uint32Value(), config));
}

// addRemoteWrite(client, table, register)
Napi::Value add_write(const Napi::CallbackInfo &info) {
  const uint32_t reg = info[2].ToNumber().Uint32Value();
  auto client = client_of(info, reg);
  if (!client) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), client->add_write(info[1].ToNumber().Uint32Value(), reg));
}

Client *client_of(napi_env env, int32_t n) {
  void *data = nullptr;
  napi_get_instance_data(env, &data);
  const auto &clients = static_cast<Environment *>(data)->clients;
  return static_cast<size_t>(n) < clients.size() ? clients[static_cast<size_t>(n)].get() : nullptr;
}

napi_value refuse(napi_env env) {
  napi_throw_error(env, "ERR_NATIVE_HANDLE", "no such client, operation or batch");
  return nullptr;
}

// startRemote(client, operation, batch): the flight's number, or -1 where it is done
napi_value start(napi_env env, napi_callback_info info) {
  int32_t a[3];
  Client *client = small_integers(env, info, a, 3) ? client_of(env, a[0]) : nullptr;
  if (!client || !client->has_operation(static_cast<uint32_t>(a[1])) ||
      static_cast<size_t>(a[2]) >= client->lane().batches())
    return refuse(env);
  return number(env, client->start(static_cast<uint32_t>(a[1]), static_cast<uint32_t>(a[2])));
}

// cancelRemote(client, operation, flight): its batch has another owner
napi_value cancel(napi_env env, napi_callback_info info) {
  int32_t a[3];
  Client *client = small_integers(env, info, a, 3) ? client_of(env, a[0]) : nullptr;
  if (!client || !client->has_operation(static_cast<uint32_t>(a[1]))) return refuse(env);
  client->cancel(static_cast<uint32_t>(a[1]), static_cast<uint32_t>(a[2]));
  return nullptr;
}

// pollRemote(client): how many events there are
napi_value poll(napi_env env, napi_callback_info info) {
  int32_t a[1];
  Client *client = small_integers(env, info, a, 1) ? client_of(env, a[0]) : nullptr;
  if (!client) return refuse(env);
  return number(env, static_cast<int32_t>(client->poll()));
}

// waitRemote(client, microseconds): blocks the thread until a server answers, or so long
napi_value wait(napi_env env, napi_callback_info info) {
  int32_t a[2];
  Client *client = small_integers(env, info, a, 2) ? client_of(env, a[0]) : nullptr;
  if (!client || a[1] < 0) return refuse(env);
  client->wait(static_cast<uint32_t>(a[1]));
  return nullptr;
}

// callRemote(client, partition, command, replicas): the call's number; -1 where too many are under
// way
Napi::Value call(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto client = item(info, 0, environment(env).clients, "client");
  if (!client) return env.Undefined();
  const uint32_t partition = info[1].ToNumber().Uint32Value();
  const auto command = info[2].As<Napi::Uint8Array>();
  if (partition >= client->partitions()) {
    fail(env, "ERR_NATIVE_HANDLE", "no such partition");
    return env.Undefined();
  }
  return Napi::Number::New(env, client->call(partition, command.Data(), command.ByteLength(),
                                             info[3].ToNumber().Uint32Value()));
}

// remotePartitions(client, rows, stride, count, out): of the 16-byte keys that rows begin with
Napi::Value partitions(const Napi::CallbackInfo &info) {
  auto client = item(info, 0, environment(info.Env()).clients, "client");
  if (!client) return info.Env().Undefined();
  const auto rows = info[1].As<Napi::Uint8Array>();
  auto out = info[4].As<Napi::Uint8Array>();
  const size_t stride = info[2].ToNumber().Uint32Value();
  const size_t count = info[3].ToNumber().Uint32Value();
  for (size_t i = 0; i < count && i < out.ElementLength(); i++) {
    if (i * stride + sizeof(Key) > rows.ElementLength()) break;
    Key key;
    std::memcpy(&key, rows.Data() + i * stride, sizeof key);
    out[i] = static_cast<uint8_t>(partition_of(key, client->partitions()));
  }
  return info.Env().Undefined();
}

// remoteGroup(client, partition): partitions of one group may be named by one command
Napi::Value group(const Napi::CallbackInfo &info) {
  auto client = item(info, 0, environment(info.Env()).clients, "client");
  if (!client) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), client->group(info[1].ToNumber().Uint32Value()));
}

// remoteStatus(client): { ready, problem, and its connections' counters }
Napi::Value status(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto client = item(info, 0, environment(env).clients, "client");
  if (!client) return env.Undefined();
  const RoutesStatus s = client->status();
  const ConnectionCounters &c = s.counters;
  auto o = Napi::Object::New(env);
  o.Set("ready", Napi::Boolean::New(env, s.ready));
  o.Set("problem", Napi::String::New(env, s.problem));
  const auto count = [&](const char *name, uint64_t n) {
    o.Set(name, Napi::Number::New(env, static_cast<double>(n)));
  };
  count("waiting", s.waiting);
  count("requests", c.requests);
  count("replies", c.replies);
  count("sentBytes", c.sent_bytes);
  count("receivedBytes", c.received_bytes);
  count("connects", c.connects);
  count("losses", c.losses);
  count("timeouts", c.timeouts);
  count("refusals", c.refusals);
  return o;
}

void set(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value f = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &f);
  napi_set_named_property(env, exports, name, f);
}

}  // namespace

void export_remote_stores(Napi::Env env, Napi::Object exports) {
  exports.Set("askServer", Napi::Function::New<ask>(env));
  exports.Set("openRemote", Napi::Function::New<open>(env));
  exports.Set("closeRemote", Napi::Function::New<close>(env));
  exports.Set("redirectRemote", Napi::Function::New<redirect>(env));
  exports.Set("addRemoteTable", Napi::Function::New<add_table>(env));
  exports.Set("addRemoteLookup", Napi::Function::New<add_lookup>(env));
  exports.Set("addRemoteWrite", Napi::Function::New<add_write>(env));
  exports.Set("callRemote", Napi::Function::New<call>(env));
  exports.Set("remotePartitions", Napi::Function::New<partitions>(env));
  exports.Set("remoteGroup", Napi::Function::New<group>(env));
  exports.Set("remoteStatus", Napi::Function::New<status>(env));
  set(env, exports, "startRemote", start);
  set(env, exports, "cancelRemote", cancel);
  set(env, exports, "pollRemote", poll);
  set(env, exports, "waitRemote", wait);
}

}  // namespace rxnf::addon

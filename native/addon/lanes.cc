// Lanes and the calls of the hot path, which allocate nothing. Those made for every batch are
// functions of their own, one for each lane and each kernel, that know what they work on.
#include <sys/prctl.h>

#include "addon/environment.h"

namespace rxnf::addon {
namespace {

Lane *lane_of(napi_env env, int32_t n) {
  void *data = nullptr;
  napi_get_instance_data(env, &data);
  const auto &lanes = static_cast<Environment *>(data)->lanes;
  return static_cast<size_t>(n) < lanes.size() ? lanes[static_cast<size_t>(n)].get() : nullptr;
}

napi_value refuse(napi_env env, const char *message) {
  napi_throw_error(env, "ERR_NATIVE_HANDLE", message);
  return nullptr;
}

// What a function works on. It goes with the function; a lane that is closed is not touched.
struct Bound {
  std::shared_ptr<Lane> lane;
  uint32_t kernel;
};

napi_value bind(napi_env env, const char *name, napi_callback call, Bound bound) {
  auto *data = new Bound(std::move(bound));
  napi_value f = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, data, &f);
  napi_add_finalizer(
      env, f, data, [](napi_env, void *d, void *) { delete static_cast<Bound *>(d); }, nullptr,
      nullptr);
  return f;
}

// breathe(): what came of it is in the control block.
napi_value breathe(napi_env env, napi_callback_info info) {
  void *data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  Lane &lane = *static_cast<Bound *>(data)->lane;
  if (lane.closed()) return refuse(env, "the lane is closed");
  lane.breathe();
  return nullptr;
}

// run(batch): what the kernel returned.
napi_value run(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t argc = 1;
  void *data = nullptr;
  int32_t batch = -1;
  if (napi_get_cb_info(env, info, &argc, &argument, nullptr, &data) != napi_ok || argc < 1)
    return refuse(env, "no batch");
  const auto &[lane, kernel] = *static_cast<Bound *>(data);
  if (napi_get_value_int32(env, argument, &batch) != napi_ok || lane->closed() ||
      static_cast<size_t>(batch) >= lane->batches())
    return refuse(env, "no such batch, or the lane is closed");
  return number(env, lane->run(kernel, static_cast<uint32_t>(batch)));
}

napi_value originate(napi_env env, napi_callback_info info) {
  int32_t a[3];
  Lane *lane = small_integers(env, info, a, 3) ? lane_of(env, a[0]) : nullptr;
  if (!lane || static_cast<size_t>(a[1]) >= lane->batches())
    return refuse(env, "no such lane or batch");
  // The third word packs ingress and length: 8 and 24 bits.
  return number(env, lane->originate(static_cast<uint32_t>(a[1]), static_cast<uint32_t>(a[2]) >> 24,
                                     static_cast<uint32_t>(a[2]) & 0xffffff));
}

// setVlan(lane, port, identifier)
napi_value set_vlan(napi_env env, napi_callback_info info) {
  int32_t a[3];
  Lane *lane = small_integers(env, info, a, 3) ? lane_of(env, a[0]) : nullptr;
  if (!lane || !lane->set_vlan(static_cast<uint32_t>(a[1]), static_cast<uint32_t>(a[2])))
    return refuse(env, "no such lane or port, or a VLAN that is not 1 to 4094");
  return nullptr;
}

napi_value free_buffer(napi_env env, napi_callback_info info) {
  int32_t a[2];
  Lane *lane = small_integers(env, info, a, 2) ? lane_of(env, a[0]) : nullptr;
  if (!lane) return refuse(env, "no such lane");
  const auto handle = static_cast<uint32_t>(a[1]);
  lane->free(&handle, 1);
  return nullptr;
}

// JavaScript's typed arrays reach 2 GiB with small integers; the other columns take far less.
constexpr uint64_t max_record_columns = uint64_t{1} << 30;

// What the kernel may add to a rest of a lane's thread; its default is as long as the shortest
// rest.
constexpr unsigned long timer_slack_ns = 1000;

Napi::Value create(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Environment &e = environment(env);
  const auto o = info[1].As<Napi::Object>();
  prctl(PR_SET_TIMERSLACK, timer_slack_ns);
  LaneConfig c;
  c.batches = u32(o, "batches");
  c.rows = u32(o, "rows");
  c.burst = u32(o, "burst");
  c.writer = u32(o, "writer");
  const auto strides = o.Get("strides").As<Napi::Array>();
  for (uint32_t i = 0; i < strides.Length(); i++)
    c.strides.push_back(strides.Get(i).ToNumber().Uint32Value());
  if (c.batches == 0 || c.batches > max_batches || c.rows > max_rows || c.burst == 0 ||
      c.burst > c.rows || c.strides.size() > max_registers) {
    fail(env, "ERR_LANE_CONFIG",
         "batches 1 to 64, burst 1 to rows, rows at most 512, registers at most 6");
    return env.Undefined();
  }
  uint64_t records = 0;
  for (const uint32_t stride : c.strides) records += 2 * uint64_t{stride} * c.rows;
  if (records * c.batches > max_record_columns) {
    fail(env, "ERR_LANE_CONFIG",
         "the records of " + std::to_string(c.batches) + " batches of " + std::to_string(c.rows) +
             " rows take more than 1 GiB: fewer batches, a smaller burst, or smaller records");
    return env.Undefined();
  }
  const auto pool_info = info[0].As<Napi::Object>();
  const auto pool =
      static_cast<rxnf_pool *>(pool_info.Get("pool").As<Napi::External<rxnf_pool>>().Data());
  return add(env, e.lanes, std::make_shared<Lane>(*pool, c));
}

Napi::Value describe(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto lane = item(info, 0, environment(env).lanes, "lane");
  if (!lane) return env.Undefined();
  auto o = Napi::Object::New(env);
  o.Set("block", wrap(env, lane->block(), lane->block_size(), lane));
  o.Set("control", wrap(env, &lane->control(), sizeof(Control), lane));
  o.Set("counters", wrap(env, &lane->counters(), sizeof(Counters), lane));
  o.Set("batchSize", lane->layout().size);
  auto columns = Napi::Object::New(env);
  for (const auto &c : lane->layout().columns) columns.Set(c.name, c.offset);
  o.Set("columns", columns);
  // Words of Control (Int32) and Counters (Float64).
  auto words = Napi::Object::New(env);
#define WORD(type, name, field, size) words.Set(name, offsetof(type, field) / size)
  WORD(Control, "receiveInto", receive_into, 4);
  WORD(Control, "transmitCount", transmit_count, 4);
  WORD(Control, "transmit", transmit, 4);
  WORD(Control, "injectCount", inject_count, 4);
  WORD(Control, "inject", inject, 4);
  WORD(Control, "budget", budget, 4);
  WORD(Control, "virtualClock", virtual_clock, 4);
  WORD(Control, "transmitted", transmitted, 4);
  WORD(Control, "arrived", arrived, 4);
  WORD(Counters, "tick", tick_ns, 8);
  WORD(Counters, "breaths", breaths, 8);
  WORD(Counters, "emptyPolls", empty_polls, 8);
  WORD(Counters, "batches", batches, 8);
  WORD(Counters, "received", received, 8);
  WORD(Counters, "forwarded", forwarded, 8);
  WORD(Counters, "originated", originated, 8);
  WORD(Counters, "injected", injected, 8);
  WORD(Counters, "held", held, 8);
  WORD(Counters, "freed", freed, 8);
  WORD(Counters, "dropped", dropped, 8);
  WORD(Counters, "latency", latency, 8);
  WORD(BatchHeader, "attended", attended, 4);
  WORD(BatchHeader, "staged", staged, 4);
  WORD(BatchHeader, "lost", lost, 4);
  WORD(BatchHeader, "exceptions", exceptions, 4);
#undef WORD
  o.Set("words", words);
  o.Set("breathe", Napi::Value(env, bind(env, "breathe", breathe, {lane, 0})));
  o.Set("maxInjected", max_injected);
  o.Set("maxPorts", max_ports);
  o.Set("latencyBuckets", Counters::latency_buckets);
  return o;
}

// bindKernel(lane, kernel): the function that runs it.
Napi::Value bind_kernel(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto lane = item(info, 0, environment(env).lanes, "lane");
  if (!lane) return env.Undefined();
  const uint32_t kernel = info[1].ToNumber().Uint32Value();
  if (kernel >= lane->kernels()) {
    fail(env, "ERR_NATIVE_HANDLE", "no such kernel");
    return env.Undefined();
  }
  return {env, bind(env, "run", run, {lane, kernel})};
}

Napi::Value close(const Napi::CallbackInfo &info) {
  auto &lanes = environment(info.Env()).lanes;
  if (auto lane = item(info, 0, lanes, "lane")) {
    lane->close();
    lanes[info[0].ToNumber().Uint32Value()].reset();
  }
  return info.Env().Undefined();
}

template <napi_callback F>
void raw(Napi::Env env, Napi::Object exports, const char *name) {
  napi_value f;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, F, nullptr, &f);
  exports.Set(name, Napi::Value(env, f));
}

}  // namespace

void export_lanes(Napi::Env env, Napi::Object exports) {
  raw<originate>(env, exports, "originate");
  raw<set_vlan>(env, exports, "setVlan");
  raw<free_buffer>(env, exports, "freeBuffer");
  exports.Set("createLane", Napi::Function::New<create>(env));
  exports.Set("bindKernel", Napi::Function::New<bind_kernel>(env));
  exports.Set("describeLane", Napi::Function::New<describe>(env));
  exports.Set("closeLane", Napi::Function::New<close>(env));
}

}  // namespace rxnf::addon

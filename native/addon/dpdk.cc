// Loads librxnf_dpdk.so when the first DPDK port is opened and passes calls on to it. The library,
// its packet pool and its ports belong to the process; a lane's thread attaches to their queues.
#include <dlfcn.h>

#include <mutex>

#include "addon/environment.h"
#include "port/dpdk.h"

namespace rxnf::addon {
namespace {

struct Shared {
  std::mutex lock;
  const rxnf_dpdk_library *library = nullptr;
  rxnf_pool pool{};
  bool started = false, has_pool = false;
};
Shared &shared() {
  static Shared s;
  return s;
}

bool refused(Napi::Env env, int result, const rxnf_error &error) {
  if (result == 0) return false;
  auto thrown = Napi::Error::New(env, error.message);
  thrown.Set("code", "ERR_DPDK");
  if (error.field[0] != '\0') thrown.Set("field", error.field);
  thrown.ThrowAsJavaScriptException();
  return true;
}

// start(libraryPath, argv) returns DPDK's version
Napi::Value start(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Shared &s = shared();
  std::lock_guard<std::mutex> guard(s.lock);
  if (!s.library) {
    void *handle = dlopen(info[0].ToString().Utf8Value().c_str(), RTLD_NOW | RTLD_GLOBAL);
    const auto get = handle ? reinterpret_cast<decltype(&rxnf_dpdk_library_get)>(
                                  dlsym(handle, "rxnf_dpdk_library_get"))
                            : nullptr;
    if (!get) {
      fail(env, "ERR_NO_DPDK", std::string("cannot load the DPDK port library: ") + dlerror());
      return env.Undefined();
    }
    if (get()->abi != RXNF_PORT_ABI) {
      fail(env, "ERR_NO_DPDK", "the DPDK port library was built for another version of rxnf");
      return env.Undefined();
    }
    s.library = get();
  }
  if (!s.started) {
    const auto list = info[1].As<Napi::Array>();
    std::vector<std::string> words;
    for (uint32_t i = 0; i < list.Length(); i++) words.push_back(list.Get(i).ToString());
    std::vector<const char *> argv;
    for (const auto &w : words) argv.push_back(w.c_str());
    rxnf_error error{};
    if (refused(env, s.library->start(static_cast<int>(argv.size()), argv.data(), &error), error))
      return env.Undefined();
    s.started = true;
  }
  return Napi::String::New(env, s.library->version());
}

// openDpdkPool(buffers, room): the same pool for every caller in the process
Napi::Value open_pool(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Shared &s = shared();
  std::lock_guard<std::mutex> guard(s.lock);
  if (!s.started) {
    fail(env, "ERR_DPDK", "DPDK has not been started");
    return env.Undefined();
  }
  if (!s.has_pool) {
    rxnf_error error{};
    if (refused(env,
                s.library->open_pool(info[0].ToNumber().Uint32Value(),
                                     info[1].ToNumber().Uint32Value(), &s.pool, &error),
                error))
      return env.Undefined();
    s.has_pool = true;
  }
  return pool_object(env, s.pool, Napi::ArrayBuffer::New(env, s.pool.base, s.pool.size));
}

Napi::Value open_port(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Shared &s = shared();
  const auto o = info[0].As<Napi::Object>();
  const std::string device = text(o, "device");
  const rxnf_dpdk_port_config c{
      .device = device.c_str(),
      .queues = u32(o, "queues", 1),
      .receive_descriptors = u32(o, "receiveDescriptors", 1024),
      .transmit_descriptors = u32(o, "transmitDescriptors", 1024),
      .mtu = u32(o, "mtu", 1500),
      .vlan = u32(o, "vlan"),
      .promiscuous = u32(o, "promiscuous", 1),
      .frames = u32(o, "frames"),
  };
  rxnf_dpdk_port_info out{};
  rxnf_error error{};
  if (refused(env, s.library->open_port(&c, &out, &error), error)) return env.Undefined();
  auto r = Napi::Object::New(env);
  auto mac = Napi::Uint8Array::New(env, 6);
  std::memcpy(mac.Data(), out.mac, 6);
  r.Set("mac", mac);
  r.Set("ethdev", out.ethdev);
  r.Set("maxQueues", out.max_queues);
  r.Set("rss", out.rss != 0);
  r.Set("linkUp", out.link_up != 0);
  r.Set("linkSpeedMbps", out.link_speed_mbps);
  r.Set("driver", std::string(out.driver));
  return r;
}

// startDpdkPort(ethdev): true where the device refuses promiscuous mode
Napi::Value start_port(const Napi::CallbackInfo &info) {
  rxnf_error error{};
  uint32_t filtered = 0;
  const auto ethdev = static_cast<uint16_t>(info[0].ToNumber().Uint32Value());
  if (refused(info.Env(), shared().library->start_port(ethdev, &filtered, &error), error))
    return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), filtered != 0);
}

Napi::Value close_port(const Napi::CallbackInfo &info) {
  rxnf_error error{};
  refused(
      info.Env(),
      shared().library->close_port(static_cast<uint16_t>(info[0].ToNumber().Uint32Value()), &error),
      error);
  return info.Env().Undefined();
}

// addDpdkQueue(lane, port, ethdev, queue): the calling thread will poll it; returns a counting
// function for the port.
Napi::Value add_queue(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Environment &e = environment(env);
  auto lane = item(info, 0, e.lanes, "lane");
  if (!lane) return env.Undefined();
  Shared &s = shared();
  rxnf_error error{};
  if (!e.dpdk_thread) {
    if (refused(env, s.library->register_thread(&error), error)) return env.Undefined();
    e.dpdk_thread = true;
  }
  rxnf_queue queue{};
  if (refused(env,
              s.library->open_queue(static_cast<uint16_t>(info[2].ToNumber().Uint32Value()),
                                    static_cast<uint16_t>(info[3].ToNumber().Uint32Value()), &queue,
                                    &error),
              error))
    return env.Undefined();
  lane->add_port(info[1].ToNumber().Uint32Value(), queue);
  return Napi::Function::New(env, [queue](const Napi::CallbackInfo &i) -> Napi::Value {
    rxnf_port_counters c{};
    queue.counters(queue.ctx, &c);
    return count_object(i.Env(), c);
  });
}

}  // namespace

void leave_dpdk(Environment &e) {
  if (e.dpdk_thread) shared().library->unregister_thread();
  e.dpdk_thread = false;
}

void export_dpdk(Napi::Env env, Napi::Object exports) {
  exports.Set("startDpdk", Napi::Function::New<start>(env));
  exports.Set("openDpdkPool", Napi::Function::New<open_pool>(env));
  exports.Set("openDpdkPort", Napi::Function::New<open_port>(env));
  exports.Set("startDpdkPort", Napi::Function::New<start_port>(env));
  exports.Set("closeDpdkPort", Napi::Function::New<close_port>(env));
  exports.Set("addDpdkQueue", Napi::Function::New<add_queue>(env));
}

}  // namespace rxnf::addon

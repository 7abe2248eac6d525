// What one JavaScript environment (the main thread or one worker) holds of the native side, and
// small helpers to read options. Everything shared between threads is in shared.h.
#pragma once
#define NAPI_HAS_THREADS 1
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/lookup.h"
#include "lane/lane.h"
#include "lane/traits.h"
#include "port/memory/memory.h"
#include "store/number_pool.h"
#include "store/remote/client.h"
#include "store/shared/store.h"
#include "store/table.h"

namespace rxnf::addon {

struct Environment {
  std::vector<std::shared_ptr<Lane>> lanes;  // by number; null once closed
  std::vector<std::shared_ptr<MemoryPool>> pools;
  std::vector<std::shared_ptr<MemoryQueue>> queues;
  std::vector<std::shared_ptr<Table>> tables;
  std::vector<std::shared_ptr<NumberPool>> numbers;
  std::vector<std::shared_ptr<shared::SharedStore>> stores;
  std::vector<std::shared_ptr<remote::Client>> clients;
  bool dpdk_thread = false;
};

// Throws a JavaScript error with a `code`; the caller returns at once.
inline void fail(Napi::Env env, const char *code, const std::string &message) {
  Napi::Error e = Napi::Error::New(env, message);
  e.Set("code", code);
  e.ThrowAsJavaScriptException();
}

inline uint32_t u32(const Napi::Object &o, const char *key, uint32_t otherwise = 0) {
  const Napi::Value v = o.Get(key);
  return v.IsNumber() ? v.As<Napi::Number>().Uint32Value() : otherwise;
}
inline bool flag(const Napi::Object &o, const char *key) { return o.Get(key).ToBoolean(); }
inline std::string text(const Napi::Object &o, const char *key) {
  const Napi::Value v = o.Get(key);
  return v.IsString() ? v.As<Napi::String>().Utf8Value() : std::string();
}
inline Where where(const Napi::Object &o, const char *key) {
  const Napi::Value v = o.Get(key);
  if (!v.IsObject()) return {};
  const auto w = v.As<Napi::Object>();
  return {u32(w, "all"), u32(w, "none")};
}
inline std::vector<Napi::Object> objects(const Napi::Object &o, const char *key) {
  std::vector<Napi::Object> list;
  const Napi::Value v = o.Get(key);
  if (!v.IsArray()) return list;
  const auto a = v.As<Napi::Array>();
  for (uint32_t i = 0; i < a.Length(); i++) list.push_back(a.Get(i).As<Napi::Object>());
  return list;
}

// Arguments of calls made for every batch; false where they are no small integers.
inline bool small_integers(napi_env env, napi_callback_info info, int32_t *out, size_t n) {
  napi_value argv[3];
  size_t argc = n;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok || argc < n)
    return false;
  for (size_t i = 0; i < n; i++)
    if (napi_get_value_int32(env, argv[i], &out[i]) != napi_ok) return false;
  return true;
}

inline napi_value number(napi_env env, int32_t v) {
  napi_value out = nullptr;
  napi_create_int32(env, v, &out);
  return out;
}

// The item of a list that argument `i` names, or null after throwing.
template <typename T>
std::shared_ptr<T> item(const Napi::CallbackInfo &info, size_t i,
                        const std::vector<std::shared_ptr<T>> &list, const char *what) {
  const Napi::Value v = info[i];
  const uint32_t n = v.IsNumber() ? v.As<Napi::Number>().Uint32Value() : 0xffffffff;
  if (n < list.size() && list[n]) return list[n];
  fail(info.Env(), "ERR_NATIVE_HANDLE", std::string("no such ") + what);
  return nullptr;
}
template <typename T>
Napi::Value add(Napi::Env env, std::vector<std::shared_ptr<T>> &list, std::shared_ptr<T> value) {
  list.push_back(std::move(value));
  return Napi::Number::New(env, static_cast<double>(list.size() - 1));
}

// Memory that JavaScript sees for as long as `owner` lives.
template <typename T>
Napi::ArrayBuffer wrap(Napi::Env env, void *data, size_t size, std::shared_ptr<T> owner) {
  auto *keep = new std::shared_ptr<T>(std::move(owner));
  return Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void *, std::shared_ptr<T> *k) { delete k; }, keep);
}

Environment &environment(Napi::Env env);
LookupConfig lookup_config(const Napi::Object &o);
// Reads the shape of a table. False after throwing what is wrong with it.
bool table_config(const Napi::CallbackInfo &info, size_t at, const std::string &name,
                  TableConfig &config);
Napi::Object count_object(Napi::Env env, const rxnf_port_counters &c);
Napi::Object pool_object(Napi::Env env, const rxnf_pool &pool, Napi::ArrayBuffer arena);

void export_lanes(Napi::Env env, Napi::Object exports);
void export_kernels(Napi::Env env, Napi::Object exports);
void export_tables(Napi::Env env, Napi::Object exports);
void export_number_pools(Napi::Env env, Napi::Object exports);
void export_shared_stores(Napi::Env env, Napi::Object exports);
void export_remote_stores(Napi::Env env, Napi::Object exports);
void export_memory(Napi::Env env, Napi::Object exports);
void export_dpdk(Napi::Env env, Napi::Object exports);
void leave_dpdk(Environment &e);

}  // namespace rxnf::addon

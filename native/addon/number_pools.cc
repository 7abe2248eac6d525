// Number pools for JavaScript; those opened under one name anywhere in the process are one.
#include <algorithm>
#include <map>
#include <mutex>

#include "addon/environment.h"

namespace rxnf::addon {
namespace {

std::mutex names_lock;
std::map<std::string, std::weak_ptr<NumberPool>> names;

// openNumbers(name, first, count)
Napi::Value open(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const std::string name = info[0].ToString();
  const uint32_t first = info[1].ToNumber().Uint32Value(), count = info[2].ToNumber().Uint32Value();
  std::lock_guard<std::mutex> guard(names_lock);
  auto pool = names[name].lock();
  if (count == 0 || count > (1u << 24) ||
      (pool && (pool->first() != first || pool->count() != count))) {
    fail(env, "ERR_NUMBER_POOL", "number pool " + name + ": open with another range, or empty");
    return env.Undefined();
  }
  if (!pool) names[name] = pool = std::make_shared<NumberPool>(first, count);
  return add(env, environment(env).numbers, pool);
}

// takeNumbers(pool, out, writer, nowSeconds): fills `out` as far as the pool goes; returns how many
Napi::Value take(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  auto out = info[1].As<Napi::Uint32Array>();
  return Napi::Number::New(
      env, pool->take(out.Data(), static_cast<uint32_t>(out.ElementLength()),
                      info[2].ToNumber().Uint32Value(), info[3].ToNumber().Uint32Value()));
}

// giveNumbers(pool, numbers, count): returns how many, from the first, were out
Napi::Value give(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  auto numbers = info[1].As<Napi::Uint32Array>();
  const auto count = static_cast<uint32_t>(
      std::min<size_t>(info[2].ToNumber().Uint32Value(), numbers.ElementLength()));
  return Napi::Number::New(env, pool->give(numbers.Data(), count));
}

// staleNumbers(pool, from, limit, untilSeconds, numbers, leased): returns how many were found
Napi::Value stale(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  auto numbers = info[4].As<Napi::Uint32Array>(), leased = info[5].As<Napi::Uint32Array>();
  uint32_t limit = info[2].ToNumber().Uint32Value();
  if (limit > numbers.ElementLength()) limit = static_cast<uint32_t>(numbers.ElementLength());
  if (limit > leased.ElementLength()) limit = static_cast<uint32_t>(leased.ElementLength());
  return Napi::Number::New(
      env, pool->stale(info[1].ToNumber().Uint32Value(), limit, info[3].ToNumber().Uint32Value(),
                       numbers.Data(), leased.Data()));
}

// reclaimNumber(pool, number, leased): false when it was leased again or given back meanwhile
Napi::Value reclaim(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  return Napi::Boolean::New(
      env, pool->reclaim(info[1].ToNumber().Uint32Value(), info[2].ToNumber().Uint32Value()));
}

// expireLeases(pool, writer): what a fenced writer leased is stale at once
Napi::Value expire(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (auto pool = item(info, 0, environment(env).numbers, "number pool"))
    pool->expire_leases_of(info[1].ToNumber().Uint32Value());
  return env.Undefined();
}

}  // namespace

void export_number_pools(Napi::Env env, Napi::Object exports) {
  exports.Set("openNumbers", Napi::Function::New<open>(env));
  exports.Set("takeNumbers", Napi::Function::New<take>(env));
  exports.Set("staleNumbers", Napi::Function::New<stale>(env));
  exports.Set("reclaimNumber", Napi::Function::New<reclaim>(env));
  exports.Set("expireLeases", Napi::Function::New<expire>(env));
  exports.Set("giveNumbers", Napi::Function::New<give>(env));
}

}  // namespace rxnf::addon

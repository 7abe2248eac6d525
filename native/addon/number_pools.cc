// Number pools for JavaScript; those opened under one name anywhere in the process are one.
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

// takeNumbers(pool, out): fills `out` as far as the pool goes; returns how many
Napi::Value take(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  auto out = info[1].As<Napi::Uint32Array>();
  return Napi::Number::New(env, pool->take(out.Data(), static_cast<uint32_t>(out.ElementLength())));
}

// giveNumbers(pool, numbers, count): returns how many, from the first, were out
Napi::Value give(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto pool = item(info, 0, environment(env).numbers, "number pool");
  if (!pool) return env.Undefined();
  auto numbers = info[1].As<Napi::Uint32Array>();
  const uint32_t count = info[2].ToNumber().Uint32Value();
  uint32_t given = 0;
  while (given < count && given < numbers.ElementLength() && pool->give(numbers[given])) given++;
  return Napi::Number::New(env, given);
}

}  // namespace

void export_number_pools(Napi::Env env, Napi::Object exports) {
  exports.Set("openNumbers", Napi::Function::New<open>(env));
  exports.Set("takeNumbers", Napi::Function::New<take>(env));
  exports.Set("giveNumbers", Napi::Function::New<give>(env));
}

}  // namespace rxnf::addon

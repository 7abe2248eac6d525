// Stores in shared memory for JavaScript: one opening is one writer, so a lane opens its own.
#include "addon/environment.h"

namespace rxnf::addon {
namespace {

using shared::Failure;

Napi::Value failed(Napi::Env env, const Failure &failure) {
  fail(env, failure.code.c_str(), failure.message);
  return env.Undefined();
}

// openStore(folder, instance): { store, writer }
Napi::Value open(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Failure failure;
  auto store = shared::SharedStore::open(info[0].ToString(), info[1].ToString(), failure);
  if (!store) return failed(env, failure);
  Napi::Object opened = Napi::Object::New(env);
  opened.Set("writer", Napi::Number::New(env, store->hand().writer()));
  opened.Set("store", add(env, environment(env).stores, std::move(store)));
  return opened;
}

Napi::Value close(const Napi::CallbackInfo &info) {
  auto &stores = environment(info.Env()).stores;
  if (item(info, 0, stores, "store")) stores[info[0].ToNumber().Uint32Value()].reset();
  return info.Env().Undefined();
}

// openStoreTable(store, name, shape, description)
Napi::Value table(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto store = item(info, 0, environment(env).stores, "store");
  const std::string name = info[1].ToString();
  TableConfig c{};
  if (!store || !table_config(info, 2, name, c)) return env.Undefined();
  Failure failure;
  auto opened = store->table(name, c, info[3].ToString(), failure);
  return opened ? add(env, environment(env).tables, std::move(opened)) : failed(env, failure);
}

// openStoreNumbers(store, name, first, count)
Napi::Value numbers(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto store = item(info, 0, environment(env).stores, "store");
  if (!store) return env.Undefined();
  Failure failure;
  auto opened = store->numbers(info[1].ToString(), info[2].ToNumber().Uint32Value(),
                               info[3].ToNumber().Uint32Value(), failure);
  return opened ? add(env, environment(env).numbers, std::move(opened)) : failed(env, failure);
}

// storeWriters(folder): [{ writer, pid, instance, alive }]
Napi::Value writers(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Failure failure;
  const auto list = shared::list_writers(info[0].ToString(), failure);
  if (failure) return failed(env, failure);
  Napi::Array all = Napi::Array::New(env);
  for (const auto &w : list) {
    Napi::Object o = Napi::Object::New(env);
    o.Set("writer", Napi::Number::New(env, w.writer));
    o.Set("pid", Napi::Number::New(env, w.pid));
    o.Set("instance", Napi::String::New(env, w.instance));
    o.Set("alive", Napi::Boolean::New(env, w.alive));
    all.Set(all.Length(), o);
  }
  return all;
}

// fenceInstance(folder, instance, limitMilliseconds): numbers of the writers that are gone for good
Napi::Value fence(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Failure failure;
  const auto fenced = shared::fence(info[0].ToString(), info[1].ToString(),
                                    info[2].ToNumber().Uint32Value(), failure);
  if (failure) return failed(env, failure);
  Napi::Array all = Napi::Array::New(env);
  for (const uint32_t writer : fenced) all.Set(all.Length(), Napi::Number::New(env, writer));
  return all;
}

// tableInfo(table): what its maker said of it, and how full it is
Napi::Value describe(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto t = item(info, 0, environment(env).tables, "table");
  if (!t) return env.Undefined();
  const TableHeader &h = t->header();
  Napi::Object o = Napi::Object::New(env);
  o.Set("capacity", Napi::Number::New(env, h.capacity));
  o.Set("room", Napi::Number::New(env, h.room));
  o.Set("records", Napi::Number::New(env, t->size()));
  o.Set("refused",
        Napi::Number::New(env, static_cast<double>(h.refused.load(std::memory_order_relaxed))));
  o.Set("description",
        Napi::String::New(env, h.description, strnlen(h.description, sizeof h.description)));
  return o;
}

// tableOfStore(folder, name): { capacity, recordSize, schema, description } or undefined
Napi::Value look(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Failure failure;
  const std::string folder = info[0].ToString(), name = info[1].ToString();
  const Memory memory = shared::open_file(folder + "/" + shared::table_file(name), failure);
  if (failure) return failed(env, failure);
  const TableHeader *h = Table::header_in(memory);
  if (!h) return env.Undefined();
  Napi::Object o = Napi::Object::New(env);
  o.Set("capacity", Napi::Number::New(env, h->capacity));
  o.Set("recordSize", Napi::Number::New(env, h->room));
  o.Set("schema", Napi::Number::New(env, h->schema));
  o.Set("description",
        Napi::String::New(env, h->description, strnlen(h->description, sizeof h->description)));
  return o;
}

}  // namespace

void export_shared_stores(Napi::Env env, Napi::Object exports) {
  exports.Set("openStore", Napi::Function::New<open>(env));
  exports.Set("closeStore", Napi::Function::New<close>(env));
  exports.Set("openStoreTable", Napi::Function::New<table>(env));
  exports.Set("openStoreNumbers", Napi::Function::New<numbers>(env));
  exports.Set("storeWriters", Napi::Function::New<writers>(env));
  exports.Set("fenceInstance", Napi::Function::New<fence>(env));
  exports.Set("tableInfo", Napi::Function::New<describe>(env));
  exports.Set("tableOfStore", Napi::Function::New<look>(env));
}

}  // namespace rxnf::addon

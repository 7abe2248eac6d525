// Memory pools and queues for JavaScript: see port/memory/memory.h.
#include "addon/environment.h"

namespace rxnf::addon {
namespace {

// What a lane and a queue need of a pool, whoever made it.
Napi::Object describe(Napi::Env env, const rxnf_pool &pool, Napi::ArrayBuffer arena) {
  auto o = Napi::Object::New(env);
  o.Set("arena", arena);
  o.Set("dataMin", pool.data_min);
  o.Set("headroom", pool.headroom);
  o.Set("room", pool.room);
  o.Set("capacity", pool.capacity);
  o.Set("pool", Napi::External<rxnf_pool>::New(env, new rxnf_pool(pool),
                                               [](Napi::Env, rxnf_pool *p) { delete p; }));
  return o;
}

Napi::Value open_pool(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const uint32_t cells = info[0].ToNumber().Uint32Value();
  if (cells == 0 || cells > 900'000) {  // below 2 GiB at 2,240 bytes each
    fail(env, "ERR_POOL_SIZE", "a packet pool has 1 to 900,000 buffers");
    return env.Undefined();
  }
  auto pool = std::make_shared<MemoryPool>(cells);
  if (!pool->valid()) {
    fail(env, "ERR_NO_MEMORY", "not enough memory for the packet pool");
    return env.Undefined();
  }
  const rxnf_pool p = pool->pool();
  auto o = describe(env, p, wrap(env, p.base, p.size, pool));
  o.Set("number", add(env, environment(env).pools, pool));
  return o;
}

Napi::Value available(const Napi::CallbackInfo &info) {
  const auto *pool = info[0].As<Napi::Object>().Get("pool").As<Napi::External<rxnf_pool>>().Data();
  return Napi::Number::New(info.Env(), pool->available(pool->ctx));
}

// openQueue(pool, capacity)
Napi::Value open_queue(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const auto *pool = info[0].As<Napi::Object>().Get("pool").As<Napi::External<rxnf_pool>>().Data();
  const uint32_t capacity = info[1].ToNumber().Uint32Value();
  if (capacity == 0 || capacity > (1u << 20)) {
    fail(env, "ERR_QUEUE_SIZE", "a queue has 1 to 1,048,576 places");
    return env.Undefined();
  }
  return add(env, environment(env).queues, std::make_shared<MemoryQueue>(*pool, capacity));
}

// addQueue(lane, port, queue)
Napi::Value add_queue(const Napi::CallbackInfo &info) {
  Environment &e = environment(info.Env());
  auto lane = item(info, 0, e.lanes, "lane");
  auto queue = lane ? item(info, 2, e.queues, "queue") : nullptr;
  if (queue) lane->add_port(info[1].ToNumber().Uint32Value(), queue->queue());
  return info.Env().Undefined();
}

// push(queue, bytes, offsets, lengths, from, count)
Napi::Value push(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto queue = item(info, 0, environment(env).queues, "queue");
  if (!queue) return env.Undefined();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const auto offsets = info[2].As<Napi::Uint32Array>(), lengths = info[3].As<Napi::Uint32Array>();
  const uint32_t from = info[4].ToNumber().Uint32Value(), count = info[5].ToNumber().Uint32Value();
  if (from > offsets.ElementLength() || count > offsets.ElementLength() - from ||
      count > lengths.ElementLength() - from) {
    fail(env, "ERR_RANGE", "push: rows outside the index");
    return env.Undefined();
  }
  for (uint32_t i = from; i < from + count; i++)
    if (offsets[i] > bytes.ByteLength() || lengths[i] > bytes.ByteLength() - offsets[i]) {
      fail(env, "ERR_RANGE", "push: a frame lies outside the bytes");
      return env.Undefined();
    }
  return Napi::Number::New(
      env, queue->push(bytes.Data(), offsets.Data() + from, lengths.Data() + from, count));
}

Napi::Value take(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto queue = item(info, 0, environment(env).queues, "queue");
  if (!queue) return env.Undefined();
  auto out = info[1].As<Napi::Uint8Array>();
  return Napi::Number::New(env, queue->take(out.Data(), static_cast<uint32_t>(out.ByteLength())));
}

Napi::Value waiting(const Napi::CallbackInfo &info) {
  auto queue = item(info, 0, environment(info.Env()).queues, "queue");
  return queue ? Napi::Number::New(info.Env(), queue->waiting()) : info.Env().Undefined();
}

Napi::Value unread(const Napi::CallbackInfo &info) {
  auto queue = item(info, 0, environment(info.Env()).queues, "queue");
  return queue ? Napi::Number::New(info.Env(), queue->unread()) : info.Env().Undefined();
}

// set(queue, {discard, refuse, linkUp, gone})
Napi::Value set(const Napi::CallbackInfo &info) {
  auto queue = item(info, 0, environment(info.Env()).queues, "queue");
  if (!queue) return info.Env().Undefined();
  const auto o = info[1].As<Napi::Object>();
  if (o.Has("discard")) queue->discard(flag(o, "discard"));
  if (o.Has("refuse")) queue->refuse(flag(o, "refuse"));
  if (o.Has("linkUp")) queue->counters().link_up = flag(o, "linkUp");
  if (o.Has("gone")) queue->counters().gone = flag(o, "gone");
  return info.Env().Undefined();
}

Napi::Value count(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto queue = item(info, 0, environment(env).queues, "queue");
  if (!queue) return env.Undefined();
  return count_object(env, queue->counters());
}

Napi::Value close_queue(const Napi::CallbackInfo &info) {
  auto &queues = environment(info.Env()).queues;
  if (item(info, 0, queues, "queue")) queues[info[0].ToNumber().Uint32Value()].reset();
  return info.Env().Undefined();
}

Napi::Value close_pool(const Napi::CallbackInfo &info) {
  auto &pools = environment(info.Env()).pools;
  if (item(info, 0, pools, "pool")) pools[info[0].ToNumber().Uint32Value()].reset();
  return info.Env().Undefined();
}

}  // namespace

Napi::Object count_object(Napi::Env env, const rxnf_port_counters &c) {
  auto o = Napi::Object::New(env);
  const auto set = [&](const char *name, uint64_t v) { o.Set(name, static_cast<double>(v)); };
  set("receivedPackets", c.received_packets);
  set("receivedBytes", c.received_bytes);
  set("transmittedPackets", c.transmitted_packets);
  set("transmittedBytes", c.transmitted_bytes);
  set("missed", c.missed);
  set("receiveErrors", c.receive_errors);
  set("transmitErrors", c.transmit_errors);
  set("noBuffer", c.no_buffer);
  set("multiSegment", c.multi_segment);
  set("resets", c.resets);
  o.Set("linkUp", c.link_up != 0);
  o.Set("gone", c.gone != 0);
  o.Set("exhausted", c.exhausted != 0);
  return o;
}

Napi::Object pool_object(Napi::Env env, const rxnf_pool &pool, Napi::ArrayBuffer arena) {
  return describe(env, pool, arena);
}

void export_memory(Napi::Env env, Napi::Object exports) {
  exports.Set("openPool", Napi::Function::New<open_pool>(env));
  exports.Set("closePool", Napi::Function::New<close_pool>(env));
  exports.Set("available", Napi::Function::New<available>(env));
  exports.Set("openQueue", Napi::Function::New<open_queue>(env));
  exports.Set("closeQueue", Napi::Function::New<close_queue>(env));
  exports.Set("addQueue", Napi::Function::New<add_queue>(env));
  exports.Set("push", Napi::Function::New<push>(env));
  exports.Set("take", Napi::Function::New<take>(env));
  exports.Set("waiting", Napi::Function::New<waiting>(env));
  exports.Set("unread", Napi::Function::New<unread>(env));
  exports.Set("setQueue", Napi::Function::New<set>(env));
  exports.Set("countQueue", Napi::Function::New<count>(env));
}

}  // namespace rxnf::addon

// The addon's entry: one Environment per JavaScript environment, freed with it.
#include "addon/environment.h"
#include "lane/reasons.h"

namespace rxnf::addon {

Environment &environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment);
  env.AddCleanupHook([e = &environment(env)] { leave_dpdk(*e); });
  export_lanes(env, exports);
  export_kernels(env, exports);
  export_tables(env, exports);
  export_number_pools(env, exports);
  export_shared_stores(env, exports);
  export_remote_stores(env, exports);
  export_memory(env, exports);
  export_dpdk(env, exports);

  auto reasons = Napi::Array::New(env);
  for (const char *name : reason_names) reasons.Set(reasons.Length(), name);
  exports.Set("reasons", reasons);
  auto traits = Napi::Object::New(env);
#define X(id, bit) traits.Set(#id, 1u << bit);
  RXNF_TRAITS(X)
#undef X
  exports.Set("traits", traits);
  exports.Set("firstMarkBit", trait::first_mark_bit);
  return exports;
}

}  // namespace
}  // namespace rxnf::addon

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  return rxnf::addon::initialise(env, exports);
}
NODE_API_MODULE(rxnf, initialise)

// Failures as the library reports them: a negative errno and one sentence.
#pragma once
#include "port/dpdk.h"

namespace rxnf::dpdk {

// Writes the sentence and returns -code. `error` may be null.
[[gnu::format(printf, 3, 4)]] int fail(rxnf_error *error, int code, const char *format, ...);

// Names the port's setting that is to blame; returns `result`.
int blame(rxnf_error *error, const char *field, int result);

}  // namespace rxnf::dpdk

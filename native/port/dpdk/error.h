// Failures as the library reports them: a negative errno and one sentence.
#pragma once
#include "port/dpdk.h"

namespace rxnf::dpdk {

// Writes the sentence and returns -code. `error` may be null.
[[gnu::format(printf, 3, 4)]] int fail(rxnf_error *error, int code, const char *format, ...);

}  // namespace rxnf::dpdk

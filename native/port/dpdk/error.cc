#include "port/dpdk/error.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace rxnf::dpdk {

int fail(rxnf_error *error, int code, const char *format, ...) {
  if (error != nullptr) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
  }
  return -std::abs(code);
}

int blame(rxnf_error *error, const char *field, int result) {
  if (error != nullptr) std::snprintf(error->field, sizeof(error->field), "%s", field);
  return result;
}

}  // namespace rxnf::dpdk

// Commands as a server reads them: an array of bulk strings.
#pragma once
#include <charconv>
#include <cstdint>
#include <string_view>

#include "store/remote/bytes.h"

namespace rxnf::remote {

inline void append_header(Bytes &out, char type, size_t n) {
  char text[24];
  text[0] = type;
  char *end = std::to_chars(text + 1, text + sizeof text - 2, n).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text, static_cast<size_t>(end - text));
}

inline void append_bulk(Bytes &out, const void *data, size_t size) {
  append_header(out, '$', size);
  out.append(data, size);
  out.append("\r\n");
}
inline void append_bulk(Bytes &out, std::string_view text) {
  append_bulk(out, text.data(), text.size());
}
inline void append_bulk(Bytes &out, uint64_t number) {
  char text[24];
  append_bulk(out, text, static_cast<size_t>(std::to_chars(text, text + 24, number).ptr - text));
}

template <typename... Words>
void append_command(Bytes &out, const Words &...words) {
  append_header(out, '*', sizeof...(words));
  (append_bulk(out, words), ...);
}

}  // namespace rxnf::remote

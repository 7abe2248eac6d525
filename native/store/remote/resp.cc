#include "store/remote/resp.h"

#include <cstring>

namespace rxnf::resp {
namespace {

// A decimal integer that is the whole of [p, end).
bool integer(const uint8_t *p, const uint8_t *end, int64_t &out) {
  const bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end || end - p > 19) return false;
  uint64_t n = 0;
  for (; p < end; p++) {
    const uint32_t d = *p - uint32_t{'0'};
    if (d > 9) return false;
    n = n * 10 + d;
  }
  if (n > uint64_t{INT64_MAX} + negative) return false;
  out = static_cast<int64_t>(negative ? 0 - n : n);
  return true;
}

Kind kind_of(uint8_t type) {
  switch (type) {
    case '+':
      return Kind::text;
    case '-':
    case '!':
      return Kind::error;
    case ',':
      return Kind::real;
    case '(':
      return Kind::big;
    case '=':
      return Kind::verbatim;
    case '*':
      return Kind::array;
    case '%':
      return Kind::map;
    case '~':
      return Kind::set;
    case '>':
      return Kind::push;
    case '|':
      return Kind::attribute;
    default:
      return Kind::blob;
  }
}

}  // namespace

Reader::Step Reader::slow(const uint8_t *&at, const uint8_t *end, Token &t) {
  for (;;) {
    if (problem_) return Step::broken;
    const bool hidden = hidden_ > 0;
    const Step step = one(at, end, t);
    if (step != Step::token || (!hidden && t.kind != Kind::attribute)) return step;
  }
}

Reader::Step Reader::one(const uint8_t *&at, const uint8_t *end, Token &t) {
  if (at == end) return Step::more;
  const auto there = static_cast<size_t>(end - at);
  const auto *feed = static_cast<const uint8_t *>(
      std::memchr(at, '\n', there < limits_.line ? there : limits_.line));
  if (!feed) return there < limits_.line ? Step::more : broken("a line is too long");
  if (feed - at < 2 || feed[-1] != '\r') return broken("a line does not end in CR LF");
  const uint8_t type = *at, *line = at + 1, *line_end = feed - 1;
  const auto size = static_cast<uint32_t>(line_end - line);
  if (streaming() != (type == ';')) return broken("a streamed string is not made of parts");
  int64_t n = 0;
  t = {kind_of(type), depth_, size, 0, line};
  switch (type) {
    case '+':
    case '-':
    case ',':
    case '(':
      break;
    case ':':
      if (!integer(line, line_end, n)) return broken("not a number");
      t = {Kind::number, depth_, 0, n, line};
      break;
    case '#':
      if (size != 1 || (*line != 't' && *line != 'f')) return broken("not a boolean");
      t = {Kind::boolean, depth_, 0, *line == 't', line};
      break;
    case '_':
      if (size != 0) return broken("not a null");
      t = {Kind::null, depth_, 0, 0, line};
      break;
    case '$':
    case '!':
    case '=':
    case ';':
      if (type == '$' && size == 1 && *line == '?') {
        at = feed + 1;
        return open(Kind::blob_begin, unknown_length, t);
      }
      if (!integer(line, line_end, n)) return broken("not a length");
      if (type == '$' && n == -1) {
        t = {Kind::null, depth_, 0, 0, line};
        break;
      }
      return bulk(type == ';' ? Kind::part : kind_of(type), n, at, feed + 1, end, t);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      at = feed + 1;
      if (size == 1 && *line == '?') {
        if (type == '|' || type == '>') return broken("a push or an attribute without length");
        return open(kind_of(type), unknown_length, t);
      }
      if (!integer(line, line_end, n)) return broken("not a number of elements");
      if (type == '*' && n == -1) {
        t = {Kind::null, depth_, 0, 0, line};
        ended();
        return Step::token;
      }
      if (n < 0 || n > limits_.elements) return broken("too many elements");
      return open(kind_of(type), type == '%' || type == '|' ? n * 2 : n, t);
    case '.':
      if (size != 0 || depth_ == 0 || frames_[depth_ - 1].left != unknown_length)
        return broken("an end without a beginning");
      t = {Kind::end, --depth_, 0, 0, line};
      break;
    default:
      return broken("an unknown type");
  }
  at = feed + 1;
  ended();
  return Step::token;
}

Reader::Step Reader::bulk(Kind kind, int64_t length, const uint8_t *&at, const uint8_t *body,
                          const uint8_t *end, Token &t) {
  if (length < 0 || length > limits_.blob) return broken("a string is too long");
  if (kind == Kind::part && length == 0) {  // the last: nothing follows its line
    t = {kind, depth_--, 0, 0, body};
    at = body;
    ended();
    return Step::token;
  }
  if (end - body < length + 2) return Step::more;
  if (body[length] != '\r' || body[length + 1] != '\n')
    return broken("a string has another length");
  t = {kind, depth_, static_cast<uint32_t>(length), 0, body};
  at = body + length + 2;
  if (kind != Kind::part) ended();
  return Step::token;
}

Reader::Step Reader::open(Kind kind, int64_t elements, Token &t) {
  t = {kind, depth_, 0, elements, nullptr};
  if (elements == 0) {
    if (kind != Kind::attribute) ended();
    return Step::token;
  }
  if (depth_ == max_depth) return broken("nested too deeply");
  frames_[depth_++] = {elements, kind};
  if (kind == Kind::attribute) hidden_++;
  return Step::token;
}

}  // namespace rxnf::resp

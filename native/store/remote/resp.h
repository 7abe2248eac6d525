// RESP2 and RESP3 as a store sends them: tokens out of a byte stream, however it is cut.
//
// A pull parser over memory that the caller owns. It allocates nothing and copies nothing: a token
// points into the caller's bytes and is valid until they move. A token whose bytes are not all
// there yet is not consumed; the caller comes back with more behind the same beginning. An
// aggregate is a token with its number of elements, followed by those. Attributes (`|`) are checked
// and passed over. Nesting, lengths and counts are bounded: no server makes a client grow or run
// without end.
//
// Protocol: RESP3 specification (github.com/redis/redis-specifications), streamed types included.
#pragma once
#include <cstdint>
#include <string_view>

namespace rxnf::resp {

enum class Kind : uint8_t {
  text,        // + a line
  error,       // - or !, its code is the first word
  number,      // :
  real,        // , as text: inf, -inf and nan are numbers too
  big,         // ( as text
  boolean,     // #
  null,        // _ $-1 *-1
  blob,        // $
  verbatim,    // = with its three-letter format and a colon in front
  blob_begin,  // $? parts follow, an empty one ends it
  part,        // ;
  array,       // *
  map,         // % `value` counts keys and values
  set,         // ~
  push,        // > out of band where its depth is 0
  attribute,   // | never returned
  end          // . of an aggregate of unknown length
};

inline constexpr int64_t unknown_length = -1;

struct Token {
  Kind kind;
  uint8_t depth;        // aggregates around it
  uint32_t size;        // of `data`
  int64_t value;        // number, boolean, elements of an aggregate or `unknown_length`
  const uint8_t *data;  // of a blob, line or part
  std::string_view text() const { return {reinterpret_cast<const char *>(data), size}; }
};

struct Limits {
  uint32_t blob = 1 << 20;      // bytes of one blob
  uint32_t line = 16 << 10;     // bytes of one line
  uint32_t elements = 1 << 20;  // of one aggregate
};

class Reader {
 public:
  enum class Step : uint8_t { token, more, broken };

  explicit Reader(const Limits &limits = {}) : limits_(limits) {}

  // The next token of [at, end), moving `at` behind what it consumed. After `broken` the stream
  // cannot be read any further, and `problem` says why.
  Step next(const uint8_t *&at, const uint8_t *end, Token &t) {
    // By far most tokens are blobs of up to 999 bytes that are all there.
    if (end - at > 6 && *at == '$' && hidden_ == 0 && !streaming()) [[likely]] {
      const uint8_t *p = at + 1;
      uint32_t n = 0;
      for (uint32_t d; p < at + 4 && (d = *p - uint32_t{'0'}) <= 9; p++) n = n * 10 + d;
      if (p > at + 1 && n <= limits_.blob && p[0] == '\r' && p[1] == '\n' &&
          end - p >= int64_t{n} + 4 && p[n + 2] == '\r' && p[n + 3] == '\n') {
        t = {Kind::blob, depth_, n, 0, p + 2};
        at = p + n + 4;
        ended();
        return Step::token;
      }
    }
    return slow(at, end, t);
  }

  // True when the token just read ended a whole reply.
  bool whole() const { return depth_ == 0; }
  // What is wrong with the stream; null while nothing is.
  const char *problem() const { return problem_; }
  void reset() { depth_ = hidden_ = 0, problem_ = nullptr; }

 private:
  static constexpr uint32_t max_depth = 16;

  struct Frame {
    int64_t left;  // elements, or `unknown_length`
    Kind kind;
  };

  bool streaming() const { return depth_ > 0 && frames_[depth_ - 1].kind == Kind::blob_begin; }

  // A value is complete: so may those around it be.
  void ended() {
    while (depth_ > 0) {
      Frame &f = frames_[depth_ - 1];
      if (f.left == unknown_length || --f.left > 0) return;
      depth_--;
      if (f.kind == Kind::attribute) {  // belongs to the value that follows
        hidden_--;
        return;
      }
    }
  }

  Step slow(const uint8_t *&at, const uint8_t *end, Token &t);
  Step one(const uint8_t *&at, const uint8_t *end, Token &t);
  Step bulk(Kind kind, int64_t length, const uint8_t *&at, const uint8_t *body, const uint8_t *end,
            Token &t);
  Step open(Kind kind, int64_t elements, Token &t);
  Step broken(const char *problem) {
    problem_ = problem;
    return Step::broken;
  }

  const Limits limits_;
  uint8_t depth_ = 0, hidden_ = 0;  // hidden: attributes around what comes next
  Frame frames_[max_depth]{};
  const char *problem_ = nullptr;
};

}  // namespace rxnf::resp

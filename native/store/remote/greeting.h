// What is said first on a connection: HELLO with AUTH, SELECT, the function library, the clock.
//
//   HELLO 3 AUTH user password SETNAME name; SELECT db; FCALL_RO rxnf1_revision; TIME
//        -> the library is absent: FUNCTION LOAD; is older than ours: FUNCTION LOAD REPLACE
//
// A newer revision than ours stays: one number in the library's name is one protocol.
#pragma once
#include <cstdint>
#include <string>

#include "store/remote/bytes.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

struct Login {
  std::string user, password;  // no password: no AUTH
  std::string client_name;     // shown by CLIENT LIST
  uint32_t database = 0;
  std::string library;  // text for FUNCTION LOAD; empty: none is needed
  uint32_t revision = 0;
};

class Greeting {
 public:
  enum class Progress : uint8_t { more, done, refused, broken };

  explicit Greeting(const Login &login) : login_(login) {}
  void begin(Bytes &out);
  // May append further commands.
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end, Bytes &out,
                std::string &why);
  // Of the server, when it answered TIME.
  uint64_t server_ms() const { return seconds_ * 1000 + microseconds_ / 1000; }

 private:
  enum class Step : uint8_t { hello, select, revision, time, load, check };

  Progress answered(Bytes &out, std::string &why);
  void load(Bytes &out, bool replace);

  const Login &login_;
  Step steps_[6] = {};
  uint32_t asked_ = 0, answered_ = 0;
  // Of the reply being read: its error, its number, its first items.
  std::string error_;
  int64_t number_ = 0;
  uint32_t items_ = 0;
  uint64_t seconds_ = 0, microseconds_ = 0;
};

}  // namespace rxnf::remote

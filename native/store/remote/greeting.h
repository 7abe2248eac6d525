// What is said first on a connection: HELLO with AUTH, SELECT, the function library, the clock.
//
//   HELLO 3 AUTH user password SETNAME name; SELECT db; CLIENT LIST ID earlier; TIME;
//   FCALL_RO rxnf1_revision
//        -> the connection before this one is still there: CLIENT KILL
//        -> the library is absent: FUNCTION LOAD; is older than ours: FUNCTION LOAD REPLACE
//
// What was sent on the connection before and not yet executed is thereby never executed: before
// anything is sent again. A newer revision than ours stays: one number in the library's name is one
// protocol.
#pragma once
#include <cstdint>
#include <string>

#include "store/remote/bytes.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

struct Login {
  std::string user, password;  // no password: no AUTH
  std::string client_name;     // shown by CLIENT LIST; of one client only
  uint32_t database = 0;
  std::string library;  // text for FUNCTION LOAD; empty: none is needed
  uint32_t revision = 0;
};

class Greeting {
 public:
  enum class Progress : uint8_t { more, done, refused, broken };

  explicit Greeting(const Login &login) : login_(login) {}
  // `earlier`: the server's number of the connection before; 0: there was none.
  void begin(Bytes &out, int64_t earlier);
  // May append further commands.
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end, Bytes &out,
                std::string &why);
  // The server's number of this connection.
  int64_t id() const { return id_; }
  // Of the server, when it answered TIME.
  uint64_t server_ms() const { return seconds_ * 1000 + microseconds_ / 1000; }

 private:
  enum class Step : uint8_t { hello, select, find, kill, revision, time, load, check };

  Progress answered(Bytes &out, std::string &why);
  void load(Bytes &out, bool replace);

  const Login &login_;

  void take(const resp::Token &t);

  Step steps_[8] = {};
  uint32_t asked_ = 0, answered_ = 0;
  int64_t id_ = 0, earlier_ = 0;
  // Of the reply being read: its error, its number, its first items.
  std::string error_;
  bool is_id_ = false, earlier_is_there_ = false;
  int64_t number_ = 0;
  uint32_t items_ = 0;
  uint64_t seconds_ = 0, microseconds_ = 0;
};

}  // namespace rxnf::remote

// The RESP parser: known bytes, every cut, every truncation, limits, and bytes gone wrong. Where
// RXNF_CASES names the folder of cases, recorded and specified replies too.
#include "store/remote/resp.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support.h"

using rxnf::resp::Kind;
using rxnf::resp::Limits;
using rxnf::resp::Reader;
using rxnf::resp::Token;
using rxnf::resp::unknown_length;
using rxnf::test::Random;
using Step = Reader::Step;

namespace {

// A token as the bytes it came from; only attributes are lost, and `!` and `-` made one.
std::string render(const Token &t) {
  const std::string text(t.text());
  const std::string count =
      t.value == unknown_length ? "?" : std::to_string(t.kind == Kind::map ? t.value / 2 : t.value);
  const std::string sized = std::to_string(t.size) + "\r\n" + text + "\r\n";
  switch (t.kind) {
    case Kind::text:
      return "+" + text + "\r\n";
    case Kind::error:
      return "-" + text + "\r\n";
    case Kind::number:
      return ":" + std::to_string(t.value) + "\r\n";
    case Kind::real:
      return "," + text + "\r\n";
    case Kind::big:
      return "(" + text + "\r\n";
    case Kind::boolean:
      return t.value ? "#t\r\n" : "#f\r\n";
    case Kind::null:
      return "_\r\n";
    case Kind::blob:
      return "$" + sized;
    case Kind::verbatim:
      return "=" + sized;
    case Kind::blob_begin:
      return "$?\r\n";
    case Kind::part:
      return t.size == 0 ? ";0\r\n" : ";" + sized;
    case Kind::array:
      return "*" + count + "\r\n";
    case Kind::map:
      return "%" + count + "\r\n";
    case Kind::set:
      return "~" + count + "\r\n";
    case Kind::push:
      return ">" + count + "\r\n";
    case Kind::end:
      return ".\r\n";
    case Kind::attribute:
      break;
  }
  EXPECT(!"an attribute was returned");
  return "";
}

struct Outcome {
  std::string rendered;
  uint32_t replies = 0;
  Step last = Step::more;
  bool operator==(const Outcome &) const = default;
};

// Feeds bytes in pieces, each time from a fresh allocation that ends where the bytes do.
Outcome read(const std::string &bytes, const std::vector<size_t> &cuts, const Limits &limits = {}) {
  Reader reader(limits);
  Outcome o;
  size_t consumed = 0;
  for (const size_t cut : cuts) {
    const std::vector<uint8_t> there(bytes.begin() + static_cast<long>(consumed),
                                     bytes.begin() + static_cast<long>(cut));
    const uint8_t *at = there.data(), *end = at + there.size();
    Token t{};
    while ((o.last = reader.next(at, end, t)) == Step::token) {
      EXPECT(at <= end);
      o.rendered += render(t);
      o.replies += reader.whole();
    }
    if (o.last == Step::broken) {
      EXPECT(reader.problem());
      return o;
    }
    consumed += static_cast<size_t>(at - there.data());
  }
  return o;
}

Outcome whole(const std::string &bytes, const Limits &limits = {}) {
  return read(bytes, {bytes.size()}, limits);
}

std::vector<size_t> every_byte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i <= size; i++) cuts.push_back(i);
  return cuts;
}

std::vector<size_t> random_cuts(size_t size, Random &random) {
  std::vector<size_t> cuts;
  for (size_t at = 0; at < size;) cuts.push_back(at = std::min(size, at + 1 + random.below(24)));
  return cuts;
}

void same_however_cut(const std::string &bytes, Random &random) {
  const Outcome once = whole(bytes);
  EXPECT(read(bytes, every_byte(bytes.size())) == once);
  for (int i = 0; i < 8; i++) EXPECT(read(bytes, random_cuts(bytes.size(), random)) == once);
}

struct Known {
  const char *bytes;
  const char *rendered;  // null: as the bytes
  uint32_t replies = 1;
};

const Known known[] = {
    {"+OK\r\n", nullptr},
    {"$0\r\n\r\n", nullptr},
    {"$11\r\nhello world\r\n", nullptr},
    {"-MOVED 3999 127.0.0.1:6381\r\n", nullptr},
    {"!10\r\nERR a\r\nb c\r\n", "-ERR a\r\nb c\r\n"},
    {":-9223372036854775808\r\n", nullptr},
    {":+5\r\n", ":5\r\n"},
    {",-inf\r\n", nullptr},
    {"(3492890328409238509324850943850943825024385\r\n", nullptr},
    {"=7\r\ntxt:abc\r\n", nullptr},
    {"$-1\r\n", "_\r\n"},
    {"*-1\r\n", "_\r\n"},
    {"*0\r\n", nullptr},
    {"*3\r\n$1\r\na\r\n_\r\n*2\r\n:1\r\n#t\r\n", nullptr},
    {"%2\r\n+a\r\n:1\r\n+b\r\n~0\r\n", nullptr},
    {"*?\r\n:1\r\n*0\r\n.\r\n", nullptr},
    {"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", nullptr},
    {"|1\r\n+ttl\r\n*2\r\n:1\r\n|0\r\n:2\r\n*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:3\r\n",
     "*2\r\n:1\r\n:3\r\n"},
    {">2\r\n+message\r\n$1\r\nx\r\n+OK\r\n", nullptr, 2},
    {"*2\r\n*1\r\n*1\r\n$1\r\nx\r\n:7\r\n$2\r\nok\r\n", nullptr, 2},
};

const char *const malformed[] = {
    "?\r\n",
    "+a\n",
    "$x\r\n",
    "$-2\r\n",
    "$3\r\nabcd\r\n",
    ":12a\r\n",
    ":\r\n",
    "#x\r\n",
    "_x\r\n",
    ".\r\n",
    ";1\r\na\r\n",
    "$?\r\n+a\r\n",
    "*-2\r\n",
    "|?\r\n",
    "*1\r\n.\r\n",
    "\r\n",
    ":99999999999999999999\r\n",
    "*2000000\r\n",
    "$2000000\r\n",
};

std::vector<std::string> cases(const char *file, const char *field) {
  std::vector<std::string> found;
  const char *folder = std::getenv("RXNF_CASES");
  if (!folder) return found;
  std::ifstream in(std::string(folder) + "/store/" + file);
  const std::string json((std::istreambuf_iterator<char>(in)), {});
  const std::string name = std::string("\"") + field + "\": \"";
  for (size_t at = 0; (at = json.find(name, at)) != std::string::npos;) {
    at += name.size();
    std::string bytes;
    for (; json[at] != '"'; at += 2)
      bytes.push_back(static_cast<char>(std::stoi(json.substr(at, 2), nullptr, 16)));
    found.push_back(bytes);
  }
  EXPECT(!found.empty());
  return found;
}

void fuzz(const std::vector<std::string> &corpus, uint32_t rounds, Random &random) {
  for (uint32_t i = 0; i < rounds; i++) {
    std::string bytes = corpus[random.below(static_cast<uint32_t>(corpus.size()))];
    bytes += corpus[random.below(static_cast<uint32_t>(corpus.size()))];
    for (uint32_t n = random.below(4); n > 0; n--) {
      const auto at = random.below(static_cast<uint32_t>(bytes.size()));
      static const char alphabet[] = "+-:$*%~>|_#,(=!;.?\r\n0123456789x";
      bytes[at] = random.below(4) ? alphabet[random.below(sizeof alphabet - 1)]
                                  : static_cast<char>(random());
    }
    const Outcome once = whole(bytes);
    EXPECT(read(bytes, random_cuts(bytes.size(), random)) == once);
  }
}

}  // namespace

int main() {
  Random random(1);
  std::vector<std::string> corpus;
  for (const Known &k : known) {
    const std::string bytes = k.bytes;
    const Outcome o = whole(bytes);
    EXPECT(o.last == Step::more);
    EXPECT(o.rendered == (k.rendered ? k.rendered : k.bytes));
    EXPECT(o.replies == k.replies);
    same_however_cut(bytes, random);
    for (size_t n = 0; n < bytes.size(); n++) {
      const Outcome cut = whole(bytes.substr(0, n));
      EXPECT(cut.last == Step::more);
      EXPECT(cut.replies < k.replies);
    }
    corpus.push_back(bytes);
  }
  for (const char *bytes : malformed) {
    EXPECT(whole(bytes).last == Step::broken);
    same_however_cut(bytes, random);
  }

  EXPECT(whole("$5\r\nabcde\r\n", {.blob = 4}).last == Step::broken);
  EXPECT(whole("*3\r\n", {.elements = 2}).last == Step::broken);
  EXPECT(whole("+" + std::string(100, 'a'), {.line = 64}).last == Step::broken);
  std::string deep;
  for (int i = 0; i < 17; i++) deep += "*1\r\n";
  EXPECT(whole(deep).last == Step::broken);

  for (const std::string &bytes : cases("resp_recorded_sample.json", "rep_hex")) {
    const Outcome o = whole(bytes);
    EXPECT(o.last == Step::more && o.replies > 0);
    same_however_cut(bytes, random);
    corpus.push_back(bytes);
  }
  for (const std::string &bytes : cases("resp3_spec_examples.json", "hex")) {
    EXPECT(whole(bytes).last == Step::more);
    same_however_cut(bytes, random);
    corpus.push_back(bytes);
  }
  fuzz(corpus, 100'000, random);
}

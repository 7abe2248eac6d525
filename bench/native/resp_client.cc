// How many keys a second can a client look up at a Redis or Valkey server? The least that a
// pipelined one does: MGET of a batch of keys over RESP3, W batches under way, replies counted and
// thrown away. The native client is compared with it.
//
//   resp_client --socket PATH | --port N  --keys N --batch B --in-flight W --seconds S [--rest]
//   [--fill]
//
// Keys are uniform and none is repeated within a batch; `--fill` makes them first. It polls, as a
// lane does; with `--rest` it sleeps in the kernel until there is a reply, for what a lookup costs
// a processor that is free to rest. Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t value_size = 40;  // of a NAT's binding on a server
constexpr uint64_t step = 7919;    // a prime: no number of keys that is used here shares it

struct Options {
  std::string socket;
  uint16_t port = 0;
  uint64_t keys = 100'000, batch = 128, in_flight = 4;
  double seconds = 2;
  bool rest = false, fill = false;
};

[[noreturn]] void die(const char *what) {
  std::perror(what);
  std::exit(1);
}

template <typename Address>
int connected(int family, const Address &address) {
  const int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
    die("connect");
  return fd;
}

int dial(const Options &options) {
  if (!options.socket.empty()) {
    sockaddr_un address{AF_UNIX, {}};
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", options.socket.c_str());
    return connected(AF_UNIX, address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = connected(AF_INET, address), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// As long as a binding's key: 28 bytes.
void append_key(std::string &out, uint64_t n) {
  char text[] = "$28\r\n{00}benches/0000000000000000\r\n";
  for (char *digit = text + sizeof text - 4; n > 0; n /= 10)
    *digit-- = static_cast<char>('0' + n % 10);
  out.append(text, sizeof text - 1);
}

class Client {
 public:
  explicit Client(const Options &options)
      : fd_(dial(options)), wait_(options.rest ? 0 : MSG_DONTWAIT), in_(1 << 20) {
    send("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
    char type;
    for (long left = line(type) * 2; left > 0; left--) skip_value();
    if (type == '-') die("HELLO 3 was refused");
  }
  ~Client() { close(fd_); }
  Client(const Client &) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) die("send");
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  // Reads one reply to MGET: how many of the keys were there.
  uint64_t hits() {
    char type;
    uint64_t hits = 0;
    const long count = line(type);
    if (type != '*') die("a reply that is no array");
    for (long i = 0; i < count; i++) hits += skip_value();
    return hits;
  }

  // Reads a string, number, null or whole array; false for null.
  bool skip_value() {
    char type;
    const long n = line(type);
    if (type == '$') skip(static_cast<size_t>(n) + 2);
    if (type == '*')
      for (long i = 0; i < n; i++) skip_value();
    return type != '_';
  }

 private:
  // A line's number, which is behind its first character.
  long line(char &type) {
    for (;;) {
      const char *begin = in_.data() + from_;
      if (const void *end = std::memchr(begin, '\n', to_ - from_)) {
        type = *begin;
        long n = 0;
        for (const char *at = begin + 1; *at >= '0' && *at <= '9'; at++) n = 10 * n + (*at - '0');
        from_ += static_cast<size_t>(static_cast<const char *>(end) - begin) + 1;
        return n;
      }
      receive();
    }
  }

  void skip(size_t n) {
    while (to_ - from_ < n) receive();
    from_ += n;
  }

  void receive() {
    std::memmove(in_.data(), in_.data() + from_, to_ - from_);
    to_ -= from_;
    from_ = 0;
    ssize_t n;
    do n = recv(fd_, in_.data() + to_, in_.size() - to_, wait_);
    while (n < 0 && (errno == EAGAIN || errno == EINTR));
    if (n <= 0) die("recv");
    to_ += static_cast<size_t>(n);
  }

  const int fd_, wait_;
  std::vector<char> in_;
  size_t from_ = 0, to_ = 0;
};

void fill(Client &client, uint64_t keys) {
  const std::string value(value_size, 'v');
  for (uint64_t n = 0; n < keys; n++) {
    std::string command = "*3\r\n$3\r\nSET\r\n";
    append_key(command, n);
    command += "$" + std::to_string(value_size) + "\r\n" + value + "\r\n";
    client.send(command);
    client.skip_value();
  }
}

// From a key at random on, in steps that go through all keys before they repeat one.
void ask(Client &client, const Options &options, uint64_t &random, std::string &command) {
  command = "*" + std::to_string(options.batch + 1) + "\r\n$4\r\nMGET\r\n";
  random = random * 6364136223846793005 + 1442695040888963407;  // Knuth, MMIX
  uint64_t n = (random >> 20) % options.keys;
  for (uint64_t i = 0; i < options.batch; i++, n = (n + step) % options.keys)
    append_key(command, n);
  client.send(command);
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_now() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

Options parse(int argc, char **argv) {
  Options o;
  for (int i = 1; i < argc; i++) {
    const std::string_view name = argv[i];
    if (name == "--fill" || name == "--rest") {
      (name == "--fill" ? o.fill : o.rest) = true;
      continue;
    }
    const char *value = ++i < argc ? argv[i] : "";
    if (name == "--socket") o.socket = value;
    if (name == "--port") o.port = static_cast<uint16_t>(std::atoi(value));
    if (name == "--keys") o.keys = std::strtoull(value, nullptr, 10);
    if (name == "--batch") o.batch = std::strtoull(value, nullptr, 10);
    if (name == "--in-flight") o.in_flight = std::strtoull(value, nullptr, 10);
    if (name == "--seconds") o.seconds = std::atof(value);
  }
  return o;
}

}  // namespace

int main(int argc, char **argv) {
  const Options options = parse(argc, argv);
  Client client(options);
  if (options.fill) fill(client, options.keys);
  uint64_t random = 0x9e3779b97f4a7c15, batches = 0, hits = 0;
  std::string command;
  const double begin = seconds_now(), cpu = cpu_now();
  for (uint64_t i = 0; i < options.in_flight; i++) ask(client, options, random, command);
  double took;
  do {
    hits += client.hits();
    batches++;
    ask(client, options, random, command);
    took = seconds_now() - begin;
  } while (took < options.seconds);
  std::printf("{\"lookups\":%llu,\"hits\":%llu,\"seconds\":%.4f,\"cpuSeconds\":%.4f}\n",
              static_cast<unsigned long long>(batches * options.batch),
              static_cast<unsigned long long>(hits), took, cpu_now() - cpu);
  return 0;
}

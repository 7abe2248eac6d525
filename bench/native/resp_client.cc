// The least that a pipelined client of a Redis or Valkey server can do: MGET of a batch of keys, W
// batches under way, replies counted and thrown away. What the native client is compared with.
//
//   resp_client --socket PATH | --port N  --keys N --batch B --in-flight W --seconds S [--fill]
//
// Keys are uniform and none is repeated within a batch; `--fill` makes them first. Prints one line
// of JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t key_size = 28, value_size = 40;  // of the NAT's bindings on a server

[[noreturn]] void die(const char *what) {
  std::perror(what);
  std::exit(1);
}

int dial(const std::string &path, int port) {
  int fd;
  if (!path.empty()) {
    sockaddr_un a{AF_UNIX, {}};
    std::snprintf(a.sun_path, sizeof a.sun_path, "%s", path.c_str());
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr *>(&a), sizeof a) != 0) die("connect");
  } else {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr *>(&a), sizeof a) != 0) die("connect");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return fd;
}

void append_key(std::string &out, uint64_t n) {
  char text[64];
  out.append(text, static_cast<size_t>(std::snprintf(text, sizeof text,
                                                     "$28\r\n{00}benches/0000%012llu\r\n",
                                                     static_cast<unsigned long long>(n))));
}

struct Client {
  int fd;
  std::vector<char> in = std::vector<char>(1 << 20);
  size_t from = 0, to = 0;

  void send_all(const std::string &bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) die("send");
      at += static_cast<size_t>(n);
    }
  }
  void more() {
    if (from > 0) {
      std::memmove(in.data(), in.data() + from, to - from);
      to -= from;
      from = 0;
    }
    const ssize_t n = recv(fd, in.data() + to, in.size() - to, 0);
    if (n <= 0) die("recv");
    to += static_cast<size_t>(n);
  }
  // A line's number, behind its first character; `type` gets that.
  long line(char &type) {
    for (;;) {
      const void *end = std::memchr(in.data() + from, '\n', to - from);
      if (end) {
        type = in[from];
        const long n = std::strtol(in.data() + from + 1, nullptr, 10);
        from = static_cast<size_t>(static_cast<const char *>(end) - in.data()) + 1;
        return n;
      }
      more();
    }
  }
  void skip(size_t n) {
    while (to - from < n) more();
    from += n;
  }
  // Reads one MGET's reply; how many keys were there.
  long reply() {
    char type;
    long hits = 0;
    const long count = line(type);
    if (type != '*') die("a reply that is no array");
    for (long i = 0; i < count; i++) {
      const long size = line(type);
      if (type != '$' || size < 0) continue;
      skip(static_cast<size_t>(size) + 2);
      hits++;
    }
    return hits;
  }
};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_now() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char **argv) {
  std::string path;
  int port = 0;
  uint64_t keys = 100'000, batch = 128, in_flight = 4;
  double seconds = 2;
  bool fill = false;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--fill") {
      fill = true;
      continue;
    }
    i++;
    if (name == "--socket") path = value;
    if (name == "--port") port = std::atoi(value);
    if (name == "--keys") keys = std::strtoull(value, nullptr, 10);
    if (name == "--batch") batch = std::strtoull(value, nullptr, 10);
    if (name == "--in-flight") in_flight = std::strtoull(value, nullptr, 10);
    if (name == "--seconds") seconds = std::atof(value);
  }
  Client client{dial(path, port)};
  if (fill) {
    const std::string value(value_size, 'v');
    for (uint64_t n = 0; n < keys; n++) {
      std::string out = "*3\r\n$3\r\nSET\r\n";
      append_key(out, n);
      out += "$" + std::to_string(value_size) + "\r\n" + value + "\r\n";
      client.send_all(out);
      char type;
      client.line(type);
    }
  }
  uint64_t state = 0x9e3779b97f4a7c15, lookups = 0, hits = 0, out_now = 0;
  std::string command;
  const auto ask = [&] {
    command = "*" + std::to_string(batch + 1) + "\r\n$4\r\nMGET\r\n";
    state = state * 6364136223846793005 + 1442695040888963407;
    // A step that no power of ten has a factor with goes through all keys before it repeats one.
    uint64_t n = (state >> 20) % keys;
    const uint64_t step = 7919;
    for (uint64_t i = 0; i < batch; i++, n = (n + step) % keys) append_key(command, n);
    client.send_all(command);
    out_now++;
  };
  const double begin = seconds_now(), cpu = cpu_now();
  while (seconds_now() - begin < seconds) {
    while (out_now < in_flight) ask();
    hits += static_cast<uint64_t>(client.reply());
    lookups += batch;
    out_now--;
  }
  const double took = seconds_now() - begin, used = cpu_now() - cpu;
  std::printf("{\"lookups\":%llu,\"hits\":%llu,\"seconds\":%.4f,\"cpuSeconds\":%.4f}\n",
              static_cast<unsigned long long>(lookups), static_cast<unsigned long long>(hits), took,
              used);
  static_assert(key_size == 28);
  return hits == lookups ? 0 : 1;
}

// Records an exchange with a real Valkey server over RDMA, for rdma_replay_test: run by the lab.
//
//   rdma_record ADDRESS PORT >test/fixtures/valkey-rdma-exchange.json
//
// Knows the protocol from its specification alone (valkey-io/valkey-doc, topics/RDMA.md) and shares
// no code with the transport, so that what is replayed is not the transport's own idea of it. One
// event a line, times in microseconds, bytes in hex, runs of 32 and more as (byte*count). The
// server is to have a receive buffer of 64 KiB (--rdma-rx-size 65536), so that both sides' fill up.
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr uint32_t receives = 1024, buffer_bytes = 65536;
constexpr uint64_t keepalive_us = 3'000'000, quiet_us = 400'000;

[[noreturn]] void stop(const char *what) {
  std::perror(what);
  std::exit(1);
}

uint64_t clock_us() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::string hex(const uint8_t *bytes, size_t count) {
  std::string text;
  for (size_t i = 0; i < count;) {
    size_t end = i + 1;
    while (end < count && bytes[end] == bytes[i]) end++;
    char part[32];
    const bool run = end - i >= 32;
    std::snprintf(part, sizeof part, run ? "(%02x*%zu)" : "%02x", bytes[i], end - i);
    text += part;
    i = run ? end : i + 1;
  }
  return text;
}

uint64_t number(const uint8_t *bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; i++) value = value << 8 | bytes[i];
  return value;
}

void put(uint8_t *bytes, int count, uint64_t value) {
  for (int i = count; i-- > 0; value >>= 8) bytes[i] = static_cast<uint8_t>(value);
}

class Recorder {
 public:
  Recorder(const char *address, const char *port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) stop("address");
    // Without an event channel every call waits for its result.
    if (rdma_create_id(nullptr, &id_, nullptr, RDMA_PS_TCP)) stop("rdma_create_id");
    if (rdma_resolve_addr(id_, nullptr, reinterpret_cast<sockaddr *>(&to), 2000)) stop("address");
    if (rdma_resolve_route(id_, 2000)) stop("route");
    ibv_qp_init_attr attributes{};
    attributes.qp_type = IBV_QPT_RC;
    attributes.cap = {.max_send_wr = receives,
                      .max_recv_wr = receives,
                      .max_send_sge = 1,
                      .max_recv_sge = 1,
                      .max_inline_data = 0};
    if (rdma_create_qp(id_, nullptr, &attributes)) stop("rdma_create_qp");
    posted_ = rdma_reg_msgs(id_, receive_memory_.data(), receive_memory_.size());
    sent_ = rdma_reg_msgs(id_, send_memory_.data(), send_memory_.size());
    mine_ = rdma_reg_write(id_, my_buffer_.data(), my_buffer_.size());
    if (!posted_ || !sent_ || !mine_) stop("registration");
    for (uint32_t i = 0; i < receives; i++) post_receive(i);
    rdma_conn_param parameters{};
    parameters.responder_resources = parameters.initiator_depth = 1;
    parameters.retry_count = parameters.rnr_retry_count = 7;
    if (rdma_connect(id_, &parameters)) stop("rdma_connect");
    begun_ = clock_us();
  }

  void handshake() {
    std::printf(
        "{\"what\": \"Valkey over RDMA, recorded by: build/test/rdma_record ADDRESS PORT\",\n");
    std::printf("\"clientBuffer\": {\"address\": \"%016llx\", \"key\": \"%08x\", \"bytes\": %u},\n",
                static_cast<unsigned long long>(reinterpret_cast<uint64_t>(my_buffer_.data())),
                mine_->rkey, buffer_bytes);
    std::printf("\"events\": [\n");
    uint8_t message[32] = {0, 0};  // GetServerFeature
    send(message);
    message[1] = 1;  // SetClientFeature
    send(message);
    register_mine();
  }

  // Sends a command and takes what comes until nothing has for a while.
  void command(const std::string &bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
      const size_t room = theirs_bytes_ - theirs_used_;
      if (room > 0) done += write(bytes.substr(done, room));
      step();
    }
    wait(quiet_us);
  }

  void wait(uint64_t us) {
    for (last_event_ = now_; now_ - last_event_ < us;) step();
  }

  void sit(uint64_t us) {
    for (const uint64_t until = now_ + us; now_ < until;) step();
  }

  void finish() {
    std::printf("{\"us\": %llu, \"by\": \"client\", \"end\": true}\n]}\n",
                static_cast<unsigned long long>(now_));
    rdma_disconnect(id_);
  }

 private:
  void post_receive(uint32_t i) {
    if (rdma_post_recv(id_, reinterpret_cast<void *>(static_cast<uintptr_t>(i)),
                       &receive_memory_[i * 32], 32, posted_))
      stop("rdma_post_recv");
  }

  // Each waits for its completion, so the memory is free again.
  void await_sent() {
    ibv_wc done{};
    int count = 0;
    while ((count = ibv_poll_cq(id_->send_cq, 1, &done)) == 0) continue;
    if (count < 0 || done.status != IBV_WC_SUCCESS) {
      std::fprintf(stderr, "send: %s\n", ibv_wc_status_str(done.status));
      std::exit(1);
    }
    last_post_ = now_;
  }

  void send(const uint8_t *message) {
    std::memcpy(send_memory_.data(), message, 32);
    if (rdma_post_send(id_, nullptr, send_memory_.data(), 32, sent_, IBV_SEND_SIGNALED))
      stop("rdma_post_send");
    log("client", "\"send\": \"" + hex(message, 32) + "\"");
    await_sent();
  }

  size_t write(const std::string &bytes) {
    std::memcpy(send_memory_.data(), bytes.data(), bytes.size());
    ibv_sge place{.addr = reinterpret_cast<uint64_t>(send_memory_.data()),
                  .length = static_cast<uint32_t>(bytes.size()),
                  .lkey = sent_->lkey};
    ibv_send_wr request{};
    request.sg_list = &place;
    request.num_sge = 1;
    request.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
    request.send_flags = IBV_SEND_SIGNALED;
    request.imm_data = htonl(static_cast<uint32_t>(bytes.size()));
    request.wr.rdma = {.remote_addr = theirs_ + theirs_used_, .rkey = theirs_key_};
    ibv_send_wr *bad = nullptr;
    if (ibv_post_send(id_->qp, &request, &bad)) stop("ibv_post_send");
    log("client", "\"offset\": " + std::to_string(theirs_used_) + ", " + written(bytes.size()) +
                      hex(send_memory_.data(), bytes.size()) + "\"");
    theirs_used_ += static_cast<uint32_t>(bytes.size());
    await_sent();
    return bytes.size();
  }

  // The immediate value as its four bytes on the wire.
  static std::string written(size_t length) {
    uint8_t imm[4];
    put(imm, 4, length);
    return "\"imm\": \"" + hex(imm, 4) + "\", \"write\": \"";
  }

  void register_mine() {
    uint8_t message[32] = {0, 3};
    put(message + 16, 8, reinterpret_cast<uint64_t>(my_buffer_.data()));
    put(message + 24, 4, buffer_bytes);
    put(message + 28, 4, mine_->rkey);
    mine_used_ = 0;
    send(message);
  }

  void step() {
    now_ = clock_us() - begun_;
    if (now_ - last_post_ >= keepalive_us) {
      const uint8_t message[32] = {0, 2};
      send(message);
    }
    ibv_wc done{};
    const int count = ibv_poll_cq(id_->recv_cq, 1, &done);
    if (count == 0) return;
    if (count < 0 || done.status != IBV_WC_SUCCESS) {
      std::fprintf(stderr, "receive: %s\n", ibv_wc_status_str(done.status));
      std::exit(1);
    }
    last_event_ = now_;
    const auto slot = static_cast<uint32_t>(done.wr_id);
    uint8_t message[32];
    std::memcpy(message, &receive_memory_[slot * 32], 32);
    post_receive(slot);
    if (done.opcode == IBV_WC_RECV)
      received(message);
    else
      received_write(ntohl(done.imm_data));
  }

  void received(const uint8_t *message) {
    log("server", "\"send\": \"" + hex(message, 32) + "\"");
    if (number(message, 2) != 3) return;
    theirs_ = number(message + 16, 8);
    theirs_bytes_ = static_cast<uint32_t>(number(message + 24, 4));
    theirs_key_ = static_cast<uint32_t>(number(message + 28, 4));
    theirs_used_ = 0;
  }

  void received_write(uint32_t length) {
    log("server", "\"offset\": " + std::to_string(mine_used_) + ", " + written(length) +
                      hex(&my_buffer_[mine_used_], length) + "\"");
    mine_used_ += length;
    if (mine_used_ == buffer_bytes) register_mine();
  }

  void log(const char *by, const std::string &what) {
    std::printf("{\"us\": %llu, \"by\": \"%s\", %s},\n", static_cast<unsigned long long>(now_), by,
                what.c_str());
  }

  std::vector<uint8_t> receive_memory_ = std::vector<uint8_t>(receives * 32);
  std::vector<uint8_t> send_memory_ = std::vector<uint8_t>(1 << 20);
  std::vector<uint8_t> my_buffer_ = std::vector<uint8_t>(buffer_bytes);
  rdma_cm_id *id_ = nullptr;
  ibv_mr *posted_ = nullptr, *sent_ = nullptr, *mine_ = nullptr;
  uint64_t begun_ = 0, now_ = 0, last_post_ = 0, last_event_ = 0;
  uint64_t theirs_ = 0;
  uint32_t theirs_bytes_ = 0, theirs_key_ = 0, theirs_used_ = 0, mine_used_ = 0;
};

std::string request(const std::vector<std::string> &words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string &word : words)
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

}  // namespace

int main(int count, char **words) {
  if (count != 3) return std::fputs("usage: rdma_record ADDRESS PORT\n", stderr), 2;
  Recorder recorder(words[1], words[2]);
  recorder.handshake();
  recorder.wait(quiet_us);
  recorder.command(request({"HELLO", "3"}));
  recorder.command(request({"SET", "key", "value"}));
  recorder.command(request({"GET", "key"}) + request({"GET", "nothing"}));
  for (const char name : {'a', 'b', 'c', 'd'})
    recorder.command(request({"SET", std::string(1, name), std::string(40'000, name)}));
  recorder.command(request({"MGET", "a", "b", "c", "nothing", "d"}));
  recorder.sit(8'000'000);
  recorder.command(request({"DEL", "key", "a", "b", "c", "d"}));
  recorder.finish();
}

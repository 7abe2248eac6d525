#include "store/remote/rdma/queue_pair.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace rxnf::rdma {
namespace {

constexpr size_t receives_bytes = receive_depth * command_bytes;
constexpr size_t commands_bytes = command_slots * command_bytes;
constexpr uint64_t of_send = 1ull << 32;  // in a work request's id: not a receive's slot

size_t whole_pages(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

bool refused(const char *call, std::string &error) {
  error = std::string(call) + ": " + std::strerror(errno);
  return false;
}

bool refused_memory(size_t bytes, std::string &error) {
  refused("ibv_reg_mr", error);
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur != RLIM_INFINITY)
    error += ": " + std::to_string(bytes >> 10) + " KiB are to be locked and the limit is " +
             std::to_string(limit.rlim_cur >> 10) +
             " KiB; to mend it: ulimit -l unlimited (LimitMEMLOCK=infinity in a systemd unit)";
  return false;
}

const char *explanation(ibv_wc_status status) {
  switch (status) {
    case IBV_WC_RETRY_EXC_ERR:
      return "the peer's machine no longer answers";
    case IBV_WC_RNR_RETRY_EXC_ERR:
      return "the peer had no receive posted for what was sent";
    case IBV_WC_REM_ACCESS_ERR:
      return "the peer's buffer does not take what was written";
    case IBV_WC_REM_OP_ERR:
      return "the peer failed";
    default:
      return "the connection is broken";
  }
}

}  // namespace

Pages::Pages(size_t bytes) : size_(whole_pages(bytes)) {
  void *at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return;
  madvise(at, size_, MADV_DONTFORK);
  data_ = static_cast<uint8_t *>(at);
}

Pages::~Pages() {
  if (data_) munmap(data_, size_);
}

std::unique_ptr<QueuePair> QueuePair::open(rdma_cm_id *id, const Options &options,
                                           std::string &error) {
  std::unique_ptr<QueuePair> pair(new QueuePair(id, options));
  if (!pair->local_.data() || !pair->incoming_.data()) {
    error = "no memory for the buffers";
    return nullptr;
  }
  if (!pair->create(error) || !pair->register_memory(error)) return nullptr;
  return pair;
}

QueuePair::QueuePair(rdma_cm_id *id, const Options &options)
    : id_(id),
      local_(receives_bytes + commands_bytes + options.outgoing_bytes),
      incoming_(options.incoming_bytes) {
  uint8_t *at = local_.data();
  memory_.receives = {at, receives_bytes};
  memory_.commands = {at + receives_bytes, commands_bytes};
  memory_.outgoing = {at + receives_bytes + commands_bytes, options.outgoing_bytes};
  memory_.incoming = {incoming_.data(), options.incoming_bytes};
}

// The device stops touching memory when the queue pair is gone; only then is the rest released.
QueuePair::~QueuePair() {
  if (id_->qp) rdma_destroy_qp(id_);
}

bool QueuePair::create(std::string &error) {
  domain_.reset(ibv_alloc_pd(id_->verbs));
  if (!domain_) return refused("ibv_alloc_pd", error);
  // Every work request may have completed before the first is polled: 1024 received, 1040 sent.
  completions_.reset(ibv_create_cq(id_->verbs, receive_depth + send_depth, nullptr, nullptr, 0));
  if (!completions_) return refused("ibv_create_cq", error);
  ibv_qp_init_attr attributes{};
  attributes.qp_type = IBV_QPT_RC;
  attributes.send_cq = attributes.recv_cq = completions_.get();
  attributes.cap = {.max_send_wr = send_depth,
                    .max_recv_wr = receive_depth,
                    .max_send_sge = 1,
                    .max_recv_sge = 1,
                    .max_inline_data = 0};
  if (rdma_create_qp(id_, domain_.get(), &attributes)) return refused("rdma_create_qp", error);
  return true;
}

bool QueuePair::register_memory(std::string &error) {
  local_region_.reset(
      ibv_reg_mr(domain_.get(), local_.data(), local_.size(), IBV_ACCESS_LOCAL_WRITE));
  if (local_region_)
    incoming_region_.reset(ibv_reg_mr(domain_.get(), incoming_.data(), incoming_.size(),
                                      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
  if (!incoming_region_) return refused_memory(local_.size() + incoming_.size(), error);
  memory_.incoming_address = reinterpret_cast<uint64_t>(incoming_.data());
  memory_.incoming_key = incoming_region_->rkey;
  return true;
}

bool QueuePair::poll(Stream &stream, uint32_t most, std::string &error) {
  std::array<ibv_wc, 32> done;
  while (most > 0) {
    const int count = ibv_poll_cq(
        completions_.get(), static_cast<int>(std::min<size_t>(done.size(), most)), done.data());
    if (count < 0) return refused("ibv_poll_cq", error);
    for (int i = 0; i < count; i++) {
      const ibv_wc &wc = done[i];
      if (wc.status != IBV_WC_SUCCESS) {
        if (wc.status != IBV_WC_WR_FLUSH_ERR)
          error = std::string(explanation(wc.status)) + " (" + ibv_wc_status_str(wc.status) + ")";
        return false;
      }
      if (wc.wr_id & of_send)
        stream.sent();
      else if (wc.opcode == IBV_WC_RECV)
        stream.received(static_cast<uint32_t>(wc.wr_id), wc.byte_len);
      else
        stream.received_write(static_cast<uint32_t>(wc.wr_id), wc.imm_data);
    }
    if (count < static_cast<int>(done.size())) break;
    most -= static_cast<uint32_t>(count);
  }
  return true;
}

int QueuePair::post_receive(uint32_t slot) {
  ibv_sge place{.addr = reinterpret_cast<uint64_t>(&memory_.receives[slot * command_bytes]),
                .length = command_bytes,
                .lkey = local_region_->lkey};
  ibv_recv_wr request{.wr_id = slot, .next = nullptr, .sg_list = &place, .num_sge = 1};
  ibv_recv_wr *bad = nullptr;
  return ibv_post_recv(id_->qp, &request, &bad);
}

int QueuePair::post_command(uint32_t offset) {
  ibv_sge place{.addr = reinterpret_cast<uint64_t>(&memory_.commands[offset]),
                .length = command_bytes,
                .lkey = local_region_->lkey};
  ibv_send_wr request{};
  request.wr_id = of_send;
  request.sg_list = &place;
  request.num_sge = 1;
  request.opcode = IBV_WR_SEND;
  request.send_flags = IBV_SEND_SIGNALED;
  ibv_send_wr *bad = nullptr;
  return ibv_post_send(id_->qp, &request, &bad);
}

int QueuePair::post_write(uint32_t offset, uint32_t length, uint64_t address, uint32_t key) {
  ibv_sge place{.addr = reinterpret_cast<uint64_t>(&memory_.outgoing[offset]),
                .length = length,
                .lkey = local_region_->lkey};
  ibv_send_wr request{};
  request.wr_id = of_send;
  request.sg_list = &place;
  request.num_sge = 1;
  request.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
  request.send_flags = IBV_SEND_SIGNALED;
  request.imm_data = big_endian(length);
  request.wr.rdma.remote_addr = address;
  request.wr.rdma.rkey = key;
  ibv_send_wr *bad = nullptr;
  return ibv_post_send(id_->qp, &request, &bad);
}

}  // namespace rxnf::rdma

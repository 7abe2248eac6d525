// New flows for whichever contender has this library preloaded: `LD_PRELOAD=churn.so CHURN=0.1
// ...`.
//
// A tenth (CHURN) of the packets that port 0 receives get a source endpoint that was never seen
// before, with checksums kept right (RFC 1624), from a callback that DPDK runs inside
// rte_eth_rx_burst. So every contender, whatever it is written in, meets the same new flows at the
// same places of every burst and pays the same for them being made. The capture's own endpoints
// are in 10.0.0.0/9, these in 10.128.0.0/9. What bounds a table is then its idle timeout alone:
// those flows are never met again.
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr uint16_t port = 0;
constexpr uint32_t source = 14 + 12, transport = 34, protocol = 14 + 9, ip_checksum = 14 + 10;
constexpr uint8_t tcp = 6;

uint32_t step;  // of 2^32, for each packet: a new flow where it wraps around
uint32_t phase = 0;
uint64_t made = 0;

template <typename T>
T exchange(uint8_t *p, T value) {
  T old;
  std::memcpy(&old, p, sizeof old);
  std::memcpy(p, &value, sizeof value);
  return old;
}

void update(uint8_t *checksum, uint64_t delta) {
  uint16_t old;
  std::memcpy(&old, checksum, 2);
  const uint64_t sum = static_cast<uint16_t>(~old) + delta;
  const auto half = static_cast<uint32_t>((sum + std::rotl(sum, 32)) >> 32);
  auto folded = static_cast<uint16_t>(~((half + std::rotl(half, 16)) >> 16));
  if (folded == 0) folded = 0xffff;  // the same in one's complement, and right for UDP too
  std::memcpy(checksum, &folded, 2);
}

// The n-th endpoint; one comes back after 2^38.
void renew(uint8_t *frame, uint64_t n) {
  const uint32_t address = rte_cpu_to_be_32(0x0a800000 | (n & 0x7fffff));
  const uint16_t number =
      rte_cpu_to_be_16(static_cast<uint16_t>(1024 + ((n * 7 + (n >> 23)) & 0x7fff)));
  const uint32_t old_address = exchange(frame + source, address);
  const uint16_t old_number = exchange(frame + transport, number);
  const uint64_t delta = uint64_t{static_cast<uint32_t>(~old_address)} + address;
  update(frame + ip_checksum, delta);
  update(frame + transport + (frame[protocol] == tcp ? 16 : 6),
         delta + static_cast<uint16_t>(~old_number) + number);
}

uint16_t on_receive(uint16_t, uint16_t, rte_mbuf *frames[], uint16_t count, uint16_t, void *) {
  for (uint16_t i = 0; i < count; i++) {
    const uint32_t before = phase;
    phase += step;
    if (phase < before) renew(rte_pktmbuf_mtod(frames[i], uint8_t *), made++);
  }
  return count;
}

// The application opens its ports when it likes: wait for port 0 to be started, at most a minute.
void attach() {
  for (int tries = 0; tries < 60'000; tries++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    rte_eth_link link{};
    if (!rte_eth_dev_is_valid_port(port) || rte_eth_link_get_nowait(port, &link) != 0) continue;
    if (link.link_status != RTE_ETH_LINK_UP) continue;
    rte_eth_add_rx_callback(port, 0, on_receive, nullptr);
    return;
  }
}

__attribute__((constructor)) void start() {
  const char *share = std::getenv("CHURN");
  const double value = share == nullptr ? 0 : std::strtod(share, nullptr);
  if (value <= 0 || value >= 1) return;
  step = static_cast<uint32_t>(value * 4294967296.0);
  std::thread(attach).detach();
}

}  // namespace

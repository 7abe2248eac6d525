// The network that every contender of the datapath benchmark stands in, and the duties that they
// share: ../datapath/world.ts says the same to the contenders in TypeScript.
#pragma once
#include <array>
#include <cstdint>

namespace bench {

constexpr uint32_t ip(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

enum PortNumber : uint8_t { inside = 0, outside = 1 };

struct Neighbour {
  PortNumber port;
  uint32_t address;
  std::array<uint8_t, 6> mac;
};
inline constexpr Neighbour neighbours[] = {
    {inside, ip(192, 168, 0, 2), {2, 0, 0, 0, 1, 2}},
    {outside, ip(203, 0, 113, 253), {2, 0, 0, 0, 2, 253}},
    {outside, ip(203, 0, 113, 254), {2, 0, 0, 0, 2, 254}},
};

struct Route {
  uint32_t address;
  uint8_t length;
  PortNumber port;
  uint32_t via;  // 0: the destinations are on the link
};
inline constexpr Route routes[] = {
    {ip(192, 168, 0, 0), 24, inside, 0},
    {ip(203, 0, 113, 0), 24, outside, 0},
    {ip(10, 0, 0, 0), 8, inside, ip(192, 168, 0, 2)},
    {ip(0, 0, 0, 0), 0, outside, ip(203, 0, 113, 254)},
    {ip(198, 18, 0, 0), 15, outside, ip(203, 0, 113, 253)},
    {ip(198, 19, 128, 0), 17, outside, ip(203, 0, 113, 254)},
};

inline constexpr uint32_t interface_address[] = {ip(192, 168, 0, 1), ip(203, 0, 113, 1)};
inline constexpr uint32_t pool_first = ip(203, 0, 113, 16), pool_size = 32;
inline constexpr uint32_t mtu = 1500;

}  // namespace bench

// A packet batch as columns. One block of memory holds every batch of a lane's pool; JavaScript
// wraps it once as an ArrayBuffer and lays typed arrays over the same columns (see describe_layout
// in batch.cc), so nothing is copied or allocated when a batch crosses between the two.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rxnf {

// The endpoints of the flow that a packet belongs to; addresses and ports as on the wire (network
// byte order). For an ICMP query both ports are its identifier; for an ICMP error this is the flow
// of the quoted packet, reversed, so that the error looks up what a reply would look up.
struct Flow {
  uint32_t source, destination;
  uint16_t source_port, destination_port;
  uint8_t protocol;  // 6, 17, 1
  uint8_t zero[3];
};
static_assert(sizeof(Flow) == 16);

// Two words, so that hashing and comparing are two instructions each.
struct Key {
  uint64_t low, high;
  bool operator==(const Key &) const = default;
};

// An Ethernet header's first twelve bytes, ready to be copied into a frame.
struct LinkAddresses {
  uint8_t destination[6], source[6];
  uint32_t zero;
};

namespace verdict {
inline constexpr int32_t pending = 0;
inline constexpr int32_t held = 0x7fff;  // its buffer has another owner now
// Pending, and prepared already by a lookup in a register: see express_lookup.h.
inline constexpr int32_t ahead(uint32_t reg) { return 0x7ff0 + static_cast<int32_t>(reg); }
inline constexpr int32_t forward(uint32_t port) { return static_cast<int32_t>(port) + 1; }
inline constexpr int32_t drop(uint32_t reason) { return -static_cast<int32_t>(reason); }
}  // namespace verdict

// Staged header edits, applied by the rewrite kernel once everything that they depend on settled.
namespace edit {
inline constexpr uint8_t source = 1;       // new_source, new_source_port
inline constexpr uint8_t destination = 2;  // new_destination, new_destination_port
inline constexpr uint8_t hop = 4;          // egress, link, and one less TTL
}  // namespace edit

// What a lookup left in a register, per row; unknown: a write that may stand or not.
enum class Lookup : uint8_t { none = 0, hit = 1, miss = 2, unknown = 3 };
// What an author's function staged, per row.
enum class Write : uint8_t { none = 0, insert = 1, swap = 2, remove = 3 };

// One table's view of a batch: what was read, and what is to be written.
struct Register {
  uint8_t *state;    // Lookup
  uint8_t *write;    // Write, staged
  uint8_t *timer;    // timer class of the record read or staged; bit 7: watched
  uint16_t *leader;  // first attended row of this batch with the same key
  Key *key;
  uint64_t *version;
  uint8_t *record;     // capacity x stride: as read, or the winner's after a lost write
  uint8_t *next;       // capacity x stride: as staged
  uint16_t *attended;  // rows that the author's function must see, in order
  uint16_t *staged;    // rows with a staged write, in order; leaders only
  uint16_t *lost;      // rows whose staged write lost to another writer, in order
  uint32_t stride;
};

inline constexpr uint32_t max_registers = 6;
inline constexpr uint32_t max_rows = 512;

// The first words of a batch's block. JavaScript reads and writes them as an Int32Array.
struct BatchHeader {
  int32_t count;
  uint32_t now_ms;      // lane clock at receive
  double receive_tick;  // nanoseconds, lane clock
  int32_t attended[max_registers], staged[max_registers], lost[max_registers];
  int32_t exceptions;   // rows that the route kernel could not forward
  uint32_t seen;        // every trait that any row has: lets an operator pass over a whole batch
  int32_t all_settled;  // set by an operator that gave every row its verdict
  int32_t made_here;    // rows whose buffer no port has filled
  // A bit for each register. Every row is a hit, and nothing is staged; some row may have a state,
  // or something staged; rows of one key are still to be joined.
  uint32_t hit, touched, unjoined;
  int32_t zero[3];
};
static_assert(sizeof(BatchHeader) == 128);

struct Batch {
  BatchHeader *header;
  uint32_t *handle, *data, *length;  // see port.h
  uint32_t *traits;
  int32_t *verdict;
  uint8_t *ingress;
  uint8_t *edits;     // bits of rxnf::edit
  uint16_t *l3, *l4;  // offsets from data
  Flow *flow;
  uint32_t *new_source, *new_destination;
  uint16_t *new_source_port, *new_destination_port;  // network byte order
  LinkAddresses *link;                               // of the next hop
  uint8_t *egress;                                   // port of the next hop
  uint16_t *exception;                               // rows, in order; see route.h
  uint8_t *exception_code;                           // by row
  Register registers[max_registers];
  uint32_t capacity;
};

// Where each column of a batch begins, in bytes from the batch's own start.
struct Column {
  std::string name;
  uint32_t offset, stride;
};

struct BatchLayout {
  BatchLayout(uint32_t capacity, const std::vector<uint32_t> &record_strides);
  Batch at(uint8_t *block, uint32_t index) const;

  uint32_t capacity;
  uint32_t size;  // bytes per batch, a multiple of 64
  std::vector<Column> columns;
  std::vector<uint32_t> strides;
};

}  // namespace rxnf

// What somebody wants to be sure of before acting on it: that it stands on a primary, and that
// enough replicas have it.
#pragma once
#include <vector>

#include "store/remote/command.h"
#include "store/remote/key_space.h"
#include "store/remote/resp.h"

namespace rxnf::remote {

// Stays where it is until it was decided. All that it asks about lies in one group of partitions.
class Proof {
 public:
  virtual ~Proof() = default;
  virtual uint32_t partition() const = 0;
  // Appends one command that asks, and changes nothing.
  virtual void ask(Bytes &out) = 0;
  // A token of the reply.
  virtual void answered(const resp::Token &t) = 0;
  // `holds`: the reply came, and what it says is on as many replicas as was asked for.
  virtual void decided(bool holds) = 0;

  uint32_t replicas = 0;
};

// That records have some versions still.
class VersionsProof : public Proof {
 public:
  struct Entry {
    Key key;
    uint64_t version;  // 0: of a removal, for which replication alone counts
    uint16_t subject;  // whatever who asks knows it by
    uint8_t partition;
    bool stands = false;  // the answer
  };

  uint32_t partition() const override { return entries.front().partition; }
  void ask(Bytes &out) override {
    next_ = 0;
    append_header(out, '*', 3 + 2 * entries.size());
    append_bulk(out, "FCALL_RO");
    append_bulk(out, "rxnf1_stand");
    append_bulk(out, entries.size());
    for (const Entry &e : entries) keys->append(out, e.partition, e.key);
    for (const Entry &e : entries) append_bulk(out, &e.version, sizeof e.version);
  }
  void answered(const resp::Token &t) override {
    if (t.depth == 1 && t.kind == resp::Kind::number && next_ < entries.size())
      entries[next_++].stands = t.value == 1;
  }

  const KeySpace *keys = nullptr;
  std::vector<Entry> entries;

 private:
  size_t next_ = 0;
};

}  // namespace rxnf::remote

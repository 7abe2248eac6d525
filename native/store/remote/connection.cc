#include "store/remote/connection.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>

#include "store/remote/command.h"

namespace rxnf::remote {

namespace {

ConnectionOptions with_name_of_its_own(ConnectionOptions options) {
  std::random_device random;
  char suffix[20];
  std::snprintf(suffix, sizeof suffix, ".%08x%08x", random(), random());
  options.login.client_name += suffix;
  return options;
}

}  // namespace

// Asks for the server's time when nothing else was heard for a while: sets the clock, and finds out
// about a peer that is gone without a word.
class Connection::Heartbeat : public Request {
 public:
  explicit Heartbeat(Connection &connection) : connection_(connection) {}
  void encode(Bytes &out) override {
    append_command(out, "TIME");
    items_ = 0;
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &) override {
    resp::Token t;
    for (;;) {
      const auto step = reader.next(at, end, t);
      if (step != resp::Reader::Step::token)
        return step == resp::Reader::Step::more ? Progress::more : Progress::broken;
      if (t.kind == resp::Kind::blob && items_ < 2) {
        parts_[items_] = 0;
        std::from_chars(t.text().data(), t.text().data() + t.size, parts_[items_++]);
      }
      if (reader.whole()) return Progress::whole;
    }
  }
  void settled(Fate fate) override {
    out_ = false;
    if (fate != Fate::answered || items_ < 2) return;
    connection_.clock_ms_ = parts_[0] * 1000 + parts_[1] / 1000;
    connection_.clock_at_ns_ = connection_.heard_at_ns_;
  }
  bool is_out() const { return out_; }
  void go(uint64_t now_ns) {
    out_ = true;
    connection_.submit(*this, now_ns);
  }

 private:
  Connection &connection_;
  bool out_ = false;
  uint32_t items_ = 0;
  uint64_t parts_[2] = {};
};

Connection::Connection(const ConnectionOptions &options, Referrals *referrals)
    : options_(with_name_of_its_own(options)),
      referrals_(referrals),
      greeting_(options_.login),
      heartbeat_(std::make_unique<Heartbeat>(*this)),
      in_(2 * slice),
      out_(2 * ahead),
      queue_(capacity) {}

Connection::~Connection() { close(); }

void Connection::close() {
  closed_ = true;
  transport_.reset();
  state_ = State::down;
  while (queue_from_ != queue_to_)
    pop(at(queue_from_)->sent_once ? Fate::unavailable : Fate::unsent);
}

void Connection::redirect(const std::string &host, uint16_t port, uint64_t now_ns) {
  if (options_.endpoint.host == host && options_.endpoint.port == port) return;
  options_.endpoint.host = host;
  options_.endpoint.port = port;
  id_ = 0;  // the server before, if it lives, knows of no successor; this one of no predecessor
  if (state_ != State::down) lost("the primary is " + options_.endpoint.name() + " now", now_ns);
  retry_at_ns_ = now_ns;
}

void Connection::submit(Request &request, uint64_t now_ns) {
  request.sent_once = false;
  request.due_ns = now_ns + options_.request_timeout_ns;
  forward(request, now_ns);
}

void Connection::forward(Request &request, uint64_t now_ns) {
  if (closed_ || is_away() || waiting() == capacity || now_ns >= request.due_ns) {
    counters_.refusals++;
    request.settled(request.sent_once ? Fate::unavailable : Fate::unsent);
    return;
  }
  at(queue_to_++) = &request;
  counters_.requests++;
  if (state_ == State::ready && out_.size() < ahead) {
    encode();
    flush();
  }
}

void Connection::poll(uint64_t now_ns) {
  if (closed_) return;
  if (state_ == State::down) {
    if (now_ns < retry_at_ns_) return expire(now_ns);
    dial(now_ns);
  }
  switch (transport_->poll(now_ns)) {
    case Transport::State::failed:
      return lost(transport_->error(), now_ns);
    case Transport::State::connecting:
      break;
    case Transport::State::open:
      if (state_ == State::connecting) {
        state_ = State::greeting;
        reader_.reset();
        greeting_.begin(out_, id_);
      }
      flush();
      receive(now_ns);
      if (state_ == State::ready) {
        encode();
        flush();
      }
      break;
  }
  if (state_ == State::down) return;
  if (state_ != State::ready && now_ns - dialled_at_ns_ > options_.connect_timeout_ns)
    return lost(options_.endpoint.name() + ": no connection, or no answer on it, in time", now_ns);
  if (state_ == State::ready && !heartbeat_->is_out() && now_ns - clock_at_ns_ > options_.quiet_ns)
    heartbeat_->go(now_ns);
  expire(now_ns);
}

void Connection::dial(uint64_t now_ns) {
  dialled_at_ns_ = now_ns;
  in_.clear();
  out_.clear();
  held_ = 0;
  in_push_ = in_reply_ = false;
  transport_ = rxnf::remote::dial(options_.endpoint);
  state_ = State::connecting;
}

void Connection::encode() {
  for (; queue_encoded_ != queue_to_ && out_.size() < ahead; queue_encoded_++) {
    Request &request = *at(queue_encoded_);
    request.repeated = request.sent_once;
    const size_t before = out_.size();
    request.encode(out_);
    request.encoded_bytes = out_.size() - before;
    held_ += request.encoded_bytes;
  }
  release();
}

// As many of the encoded as the server may have.
void Connection::release() {
  while (queue_sent_ != queue_encoded_ &&
         queue_sent_ - queue_from_ - in_reply_ < options_.in_flight) {
    Request &request = *at(queue_sent_++);
    request.sent_once = true;
    held_ -= request.encoded_bytes;
  }
}

void Connection::flush() {
  while (is_sending()) {
    const size_t n = transport_->send(out_.span().first(out_.size() - held_));
    if (n == 0) return;
    counters_.sent_bytes += n;
    out_.consume(n);
  }
}

void Connection::receive(uint64_t now_ns) {
  for (uint32_t i = 0; i < slices; i++) {
    const std::span<uint8_t> room = in_.room(slice);
    const size_t n = transport_->receive(room);
    if (n == 0) return;
    in_.produced(n);
    counters_.received_bytes += n;
    heard_at_ns_ = now_ns;
    if (!parse(now_ns) || n < room.size()) return;
  }
}

// False when the connection was lost over it.
bool Connection::parse(uint64_t now_ns) {
  std::string why;
  while (in_.size() > 0) {
    const uint8_t *at_byte = in_.begin(), *const end = in_.end();
    if (in_push_ || (reader_.whole() && *at_byte == '>')) {
      const bool done = take_push(at_byte, end);
      in_.consume(static_cast<size_t>(at_byte - in_.begin()));
      if (reader_.problem()) return lost(reader_.problem(), now_ns), false;
      if (!done) return true;
      continue;
    }
    if (state_ == State::greeting) {
      const auto progress = greeting_.read(reader_, at_byte, end, out_, why);
      in_.consume(static_cast<size_t>(at_byte - in_.begin()));
      if (progress == Greeting::Progress::done) {
        ready(now_ns);
      } else if (progress == Greeting::Progress::more) {
        flush();
        return true;
      } else {
        return lost(options_.endpoint.name() + ": " + why, now_ns), false;
      }
      continue;
    }
    if (queue_from_ == queue_sent_) return lost("a reply that nobody asked for", now_ns), false;
    if (!in_reply_) {
      in_reply_ = true;
      if (queue_sent_ - queue_from_ == 1) {  // the server has nothing else
        release();
        flush();
      }
    }
    const auto progress = at(queue_from_)->read(reader_, at_byte, end, why);
    in_.consume(static_cast<size_t>(at_byte - in_.begin()));
    switch (progress) {
      case Request::Progress::more:
        return true;
      case Request::Progress::whole:
        counters_.replies++;
        pop(Fate::answered);
        break;
      case Request::Progress::again:
        if (refer(why, now_ns)) break;
        return lost(options_.endpoint.name() + ": " + why, now_ns), false;
      case Request::Progress::broken:
        return lost(options_.endpoint.name() + ": not RESP: " +
                        (reader_.problem() ? reader_.problem() : "an unexpected reply"),
                    now_ns),
               false;
    }
  }
  return true;
}

bool Connection::refer(const std::string &why, uint64_t now_ns) {
  if (!referrals_ || !reader_.whole()) return false;
  Request &request = *at(queue_from_++);
  in_reply_ = false;
  if (referrals_->take(request, why, now_ns)) return counters_.replies++, true;
  queue_from_--;
  return false;
}

// Out of band: nothing here subscribes to anything. True when it has been passed over.
bool Connection::take_push(const uint8_t *&at_byte, const uint8_t *end) {
  resp::Token t;
  in_push_ = true;
  while (reader_.next(at_byte, end, t) == resp::Reader::Step::token) {
    if (!reader_.whole()) continue;
    in_push_ = false;
    return true;
  }
  return false;
}

void Connection::ready(uint64_t now_ns) {
  state_ = State::ready;
  ready_at_ns_ = now_ns;
  id_ = greeting_.id();
  attempts_failed_ = 0;
  counters_.connects++;
  clock_ms_ = greeting_.server_ms();
  clock_at_ns_ = now_ns;
  problem_.clear();
}

// The first in the queue is due first.
void Connection::expire(uint64_t now_ns) {
  if (queue_from_ == queue_to_ || now_ns < at(queue_from_)->due_ns) return;
  const bool is_sent = queue_from_ != queue_sent_;
  if (is_sent) {
    counters_.timeouts++;
    lost(options_.endpoint.name() + ": no reply in time", now_ns);
  }
  while (queue_from_ != queue_to_ && now_ns >= at(queue_from_)->due_ns)
    pop(!at(queue_from_)->sent_once ? Fate::unsent : is_sent ? Fate::timed_out : Fate::unavailable);
}

void Connection::lost(const std::string &why, uint64_t now_ns) {
  problem_ = why;
  transport_.reset();
  queue_sent_ = queue_encoded_ = queue_from_;
  if (state_ == State::ready) {
    counters_.losses++;
    state_ = State::down;
    retry_at_ns_ = now_ns - ready_at_ns_ < steady_ns ? now_ns + first_backoff_ns : now_ns;
    return;
  }
  state_ = State::down;
  const uint32_t doublings = std::min(attempts_failed_++, 6u);
  retry_at_ns_ = now_ns + std::min(first_backoff_ns << doublings, longest_backoff_ns);
  // Requests made by what is settled here wait for the next attempt, or come back.
  for (size_t n = waiting(); n > 0 && queue_from_ != queue_to_; n--)
    pop(at(queue_from_)->sent_once ? Fate::unavailable : Fate::unsent);
}

void Connection::pop(Fate fate) {
  Request *request = at(queue_from_++);
  in_reply_ = false;
  if (queue_sent_ < queue_from_) queue_sent_ = queue_from_;
  if (queue_encoded_ < queue_from_) queue_encoded_ = queue_from_;
  request->settled(fate);
}

}  // namespace rxnf::remote

#include "store/shared/store.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace rxnf::shared {
namespace {

// Names have slashes, files have none.
std::string as_file(const char *kind, const std::string &name) {
  std::string file = kind;
  for (const char c : name) file += c == '/' ? '~' : c;
  return file;
}

// A table or pool together with the store whose hand it writes with.
template <typename T>
std::shared_ptr<T> kept(std::shared_ptr<SharedStore> store, std::unique_ptr<T> value) {
  T *const p = value.get();
  struct Both {
    std::shared_ptr<SharedStore> store;
    std::unique_ptr<T> value;
  };
  auto both = std::make_shared<Both>(Both{std::move(store), std::move(value)});
  return std::shared_ptr<T>(std::move(both), p);
}

}  // namespace

std::string table_file(const std::string &name) { return as_file("table.", name); }
std::string pool_file(const std::string &name) { return as_file("pool.", name); }

std::shared_ptr<SharedStore> SharedStore::open(const std::string &folder,
                                               const std::string &instance, Failure &failure) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    failure = {"ERR_STORE_FILE", folder + ": mkdir: " + std::strerror(errno)};
    return nullptr;
  }
  auto hand = SharedHand::take(folder, instance, failure);
  if (!hand) return nullptr;
  std::shared_ptr<SharedStore> store(new SharedStore(folder, std::move(hand)));
  store->hand_->repair_by(
      [s = store.get()](const std::string &name, const Journal &journal, const uint8_t *record) {
        s->repair(name, journal, record);
      });
  store->hand_->repair_dead();
  return store;
}

SharedStore::SharedStore(std::string folder, std::unique_ptr<SharedHand> hand)
    : folder_(std::move(folder)), hand_(std::move(hand)) {}

std::shared_ptr<Table> SharedStore::table(const std::string &name, const TableConfig &config,
                                          const std::string &description, Failure &failure) {
  TableConfig c = config;
  c.seed = hand_->seed();
  const std::string file = table_file(name), path = folder_ + "/" + file;
  const uint32_t number = hand_->name(file, failure);
  if (failure) return nullptr;
  Memory memory = open_or_make(
      path, Table::bytes_for(c),
      [&](uint8_t *base) { Table::format(c, base, description.c_str()); }, failure);
  if (failure) return nullptr;
  const TableHeader *header = Table::header_in(memory);
  if (!header) {
    failure = {"ERR_STORE_LAYOUT", path + ": is no table of this release"};
    return nullptr;
  }
  if (header->room < c.record_size) {
    failure = {"ERR_STORE_SCHEMA", "table " + name + ": its records have room for " +
                                       std::to_string(header->room) + " bytes and need " +
                                       std::to_string(c.record_size) +
                                       ": dump the store, remove the table, restore it"};
    return nullptr;
  }
  return kept(shared_from_this(), std::make_unique<Table>(c, std::move(memory), *hand_, number));
}

std::shared_ptr<NumberPool> SharedStore::numbers(const std::string &name, uint32_t first,
                                                 uint32_t count, Failure &failure) {
  const std::string file = pool_file(name), path = folder_ + "/" + file;
  const uint32_t number = hand_->name(file, failure);
  if (failure) return nullptr;
  Memory memory = open_or_make(
      path, NumberPool::bytes_for(count),
      [&](uint8_t *base) { NumberPool::format(first, count, base); }, failure);
  if (failure) return nullptr;
  auto pool = std::make_unique<NumberPool>(std::move(memory), *hand_, number);
  if (!pool->valid()) {
    failure = {"ERR_STORE_LAYOUT", path + ": is no pool of numbers of this release"};
    return nullptr;
  }
  if (pool->first() != first || pool->count() != count) {
    failure = {"ERR_NUMBER_POOL", "number pool " + name + ": was made for " +
                                      std::to_string(pool->first()) + " to " +
                                      std::to_string(pool->first() + pool->count() - 1)};
    return nullptr;
  }
  return kept(shared_from_this(), std::move(pool));
}

// The structure need not be one that this lane uses: it is opened for the repair alone.
void SharedStore::repair(const std::string &name, const Journal &journal, const uint8_t *record) {
  Failure failure;
  const uint32_t number = hand_->name(name, failure);
  if (failure) return;
  Memory memory = open_file(folder_ + "/" + name, failure);
  if (!memory.base) return;  // removed since: there is nothing to repair
  if (name.starts_with("pool.")) {
    NumberPool pool(std::move(memory), *hand_, number);
    if (pool.valid()) pool.repair();
  } else if (const TableHeader *header = Table::header_in(memory)) {
    TableConfig c{};
    c.capacity = header->capacity;
    c.record_size = header->room;
    Table(c, std::move(memory), *hand_, number).repair(journal, record);
  }
}

}  // namespace rxnf::shared

// A store in a folder of shared memory, as one lane sees it: its tables and its pools of numbers,
// each a file. It survives every process that uses it, and what one of them leaves when it is
// killed is repaired by the next that meets it, or that opens the store.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "store/number_pool.h"
#include "store/shared/writers.h"
#include "store/table.h"

namespace rxnf::shared {

class SharedStore : public std::enable_shared_from_this<SharedStore> {
 public:
  // Opens the store in a folder, which is made if need be.
  static std::shared_ptr<SharedStore> open(const std::string &folder, const std::string &instance,
                                           Failure &failure);

  SharedHand &hand() { return *hand_; }

  // A table, made with this capacity where there is none. `description`: its schema, as JSON. A
  // table that was made with another capacity is taken as it is; one that cannot hold the record is
  // refused.
  std::shared_ptr<Table> table(const std::string &name, const TableConfig &config,
                               const std::string &description, Failure &failure);
  std::shared_ptr<NumberPool> numbers(const std::string &name, uint32_t first, uint32_t count,
                                      Failure &failure);

 private:
  SharedStore(std::string folder, std::unique_ptr<SharedHand> hand);
  void repair(const std::string &name, const Journal &journal, const uint8_t *record);

  const std::string folder_;
  // Outlives the tables and pools, which keep the store.
  std::unique_ptr<SharedHand> hand_;
};

// The file name of a table or a pool in a store's folder.
std::string table_file(const std::string &name);
std::string pool_file(const std::string &name);

}  // namespace rxnf::shared

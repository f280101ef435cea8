// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "unwind-table.h"

namespace fleetflame::unwind {

/// How large a table may become.
struct TableLimits {
  uint64_t maxRows;
  uint64_t maxBytes;
};

/// Makes a table from rows in order of their addresses.
class TableWriter {
 public:
  /// A row has 16 bits for its rule. The most seen is about 500 (libcrypto).
  static constexpr size_t MAX_RULES = UINT16_MAX;

  TableWriter(UnwindTable& table, const TableLimits& limits, uint32_t codeBytes);

  /// From `address` (from the table's base) on `rule` holds. Addresses never decrease; of two rows at
  /// one address the later counts; a row that says what the one before says is left out.
  Refusal add(uint32_t address, const Rule& rule);

  /// Completes the pages; nothing can be added after it.
  void finish();

  size_t memoryBytes() const;

 private:
  struct RuleHash {
    size_t operator()(const Rule& rule) const;
  };
  struct RuleEqual {
    bool operator()(const Rule& a, const Rule& b) const { return isSame(a, b); }
  };

  bool internRule(const Rule& rule, uint16_t& out);
  void openPages(uint32_t page);

  UnwindTable& table_;
  TableLimits limits_;
  uint32_t lastPage_;
  uint32_t lastAddress_ = 0;
  std::unordered_map<Rule, uint16_t, RuleHash, RuleEqual> ruleIndex_;
};

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#include "table-writer.h"

#include <cstring>

namespace fleetflame::unwind {

size_t TableWriter::RuleHash::operator()(const Rule& rule) const {
  uint64_t words[2];
  static_assert(sizeof words == sizeof rule);
  std::memcpy(words, &rule, sizeof words);
  // Odd constants spread the few bits that differ between rules.
  uint64_t hash = words[0] * 0x9e3779b97f4a7c15u ^ words[1] * 0xc2b2ae3d27d4eb4fu;
  return hash ^ hash >> 29;
}

TableWriter::TableWriter(UnwindTable& table, const TableLimits& limits, uint32_t codeBytes)
    : table_(table), limits_(limits), lastPage_(codeBytes >> UnwindTable::PAGE_BITS) {
  uint16_t index = 0;
  Rule endOfStack{};
  endOfStack.cfa_kind = CFA_END_OF_STACK;
  internRule(Rule{}, index);
  internRule(endOfStack, index);
  table_.pages.push_back(0);
}

bool TableWriter::internRule(const Rule& rule, uint16_t& out) {
  const auto known = ruleIndex_.find(rule);
  if (known != ruleIndex_.end()) {
    out = known->second;
    return true;
  }
  if (table_.rules.size() >= MAX_RULES) return false;
  out = static_cast<uint16_t>(table_.rules.size());
  table_.rules.push_back(rule);
  ruleIndex_.emplace(rule, out);
  return true;
}

void TableWriter::openPages(uint32_t page) {
  while (table_.pages.size() <= page) table_.pages.push_back(static_cast<uint32_t>(table_.rows.size()));
}

Refusal TableWriter::add(uint32_t address, const Rule& rule) {
  uint16_t index = 0;
  if (!internRule(rule, index)) return Refusal::TooManyRules;
  std::vector<uint32_t>& rows = table_.rows;
  if (!rows.empty() && address == lastAddress_) rows.pop_back();
  lastAddress_ = address;
  openPages(address >> UnwindTable::PAGE_BITS);
  if (!rows.empty() && UnwindTable::ruleIndex(rows.back()) == index) {
    // The address is no longer the last row's: a later row at it must not remove that one.
    lastAddress_ = UINT32_MAX;
    return Refusal::None;
  }
  if (rows.size() >= limits_.maxRows) return Refusal::TooManyRows;
  rows.push_back(UnwindTable::pack(static_cast<uint16_t>(address), index));
  return table_.bytes() <= limits_.maxBytes ? Refusal::None : Refusal::TooManyBytes;
}

void TableWriter::finish() {
  openPages(lastPage_ + 1);
  table_.pages.shrink_to_fit();
  table_.rows.shrink_to_fit();
  table_.rules.shrink_to_fit();
}

size_t TableWriter::memoryBytes() const {
  constexpr size_t NODE_BYTES = sizeof(Rule) + 32;
  // While a vector grows, its old and new bytes exist together.
  return table_.rows.capacity() * 2 * sizeof(uint32_t) + table_.pages.capacity() * sizeof(uint32_t) +
         table_.rules.capacity() * sizeof(Rule) + ruleIndex_.size() * NODE_BYTES;
}

}  // namespace fleetflame::unwind

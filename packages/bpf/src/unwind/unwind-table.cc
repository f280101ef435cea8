// SPDX-License-Identifier: Apache-2.0
#include "unwind-table.h"

#include <algorithm>

namespace fleetflame::unwind {

const Rule& UnwindTable::find(uint64_t address) const {
  static const Rule NONE{};
  if (address < base) return NONE;
  const uint64_t page = (address - base) >> PAGE_BITS;
  const auto low = static_cast<uint16_t>(address - base);
  if (page + 1 >= pages.size()) return NONE;
  const auto first = rows.begin() + pages[page];
  const auto last = rows.begin() + pages[page + 1];
  const auto after = std::upper_bound(first, last, low, [](uint16_t want, uint32_t row) { return want < addressLow(row); });
  return after == rows.begin() ? NONE : rules[ruleIndex(*(after - 1))];
}

}  // namespace fleetflame::unwind

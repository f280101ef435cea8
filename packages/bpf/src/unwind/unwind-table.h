// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "rule-from-state.h"

namespace fleetflame::unwind {

/// What was seen and turned away while a table was made.
struct Statistics {
  uint64_t functions = 0;
  /// Of `functions`, those that only .debug_frame describes.
  uint64_t debugFrameFunctions = 0;
  /// Of `functions`, and of the overlaps, those of Go's own table.
  uint64_t goFunctions = 0;
  /// Two descriptions of one address: the one that starts later counts, then .eh_frame before
  /// .debug_frame, then the first.
  uint64_t overlaps = 0;
  /// Their address is not in an executable segment: what a linker left of functions it dropped.
  uint64_t outsideCode = 0;
  /// Their CIE or encoding could not be used.
  uint64_t skipped = 0;
  /// Sections that end at an entry that makes no sense, or could not be inflated.
  uint64_t damagedSections = 0;
  uint64_t signalFunctions = 0;
  /// Rows that the instructions gave, before equal neighbours were merged.
  uint64_t statesSeen = 0;
  /// Rows of the table by why they cannot be followed.
  uint64_t unsupportedRows[UNSUPPORTED] = {};
  /// Highest memory in use while it was made, the table included.
  uint64_t peakBytes = 0;
  /// .gopclntab: Go code keeps frame pointers, and .debug_frame says nothing of them.
  uint64_t isGo = 0;
};

/// How to unwind every address of a binary.
///
/// Addresses count from `base`. A row is four bytes, sorted by address; it holds until the next one:
///
///    31            16 15             0
///   +----------------+----------------+
///   | rule           | address low    |      rows
///   +----------------+----------------+
///
///   pages[p] is the first row whose address has p as its high 16 bits; one entry more says the end:
///
///   pages  | 0 | 311 | 311 | 702 |            page 1 has no row of its own
///            |    \____\_______________
///   rows   | 0 1 2 ... 310 | 311 ... 701 |
///
/// To find an address: the last row at or below it among pages[p] .. pages[p + 1]; if there is none,
/// the row before pages[p]; if that is none either, there is no rule. At most 17 steps.
struct UnwindTable {
  static constexpr unsigned PAGE_BITS = 16;

  uint64_t base = 0;
  std::vector<uint32_t> pages;
  std::vector<uint32_t> rows;
  std::vector<Rule> rules;
  Statistics statistics;

  static uint16_t addressLow(uint32_t row) { return static_cast<uint16_t>(row); }
  static uint16_t ruleIndex(uint32_t row) { return static_cast<uint16_t>(row >> 16); }
  static uint32_t pack(uint16_t addressLow, uint16_t rule) { return uint32_t{rule} << 16 | addressLow; }

  /// The search that the BPF program does. Rule 0 (none) outside of the table.
  const Rule& find(uint64_t address) const;

  /// Of pages, rows and rules: what goes into kernel memory.
  uint64_t bytes() const { return (pages.size() + rows.size()) * sizeof(uint32_t) + rules.size() * sizeof(Rule); }
};

}  // namespace fleetflame::unwind

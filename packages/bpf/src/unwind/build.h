// SPDX-License-Identifier: Apache-2.0
//
// Turns the frame descriptions of a binary into a table of rules.
//
//   FileSource source(fd);
//   ElfReader elf(source);
//   UnwindTable table;
//   Refusal refusal = elf.open();
//   if (refusal == Refusal::None) refusal = build(elf, Limits{}, table);
//   if (refusal != Refusal::None) log(describe(refusal));
//
// Two passes: the first lists where functions and their instructions are (20 bytes each), sorted by
// address; the second runs the instructions in that order and writes rows. The sections are read
// through windows of some kB. No input makes it throw, read past an end, or use more than its limits.
#pragma once

#include <atomic>

#include "elf-reader.h"
#include "unwind-table.h"

namespace fleetflame::unwind {

struct Limits {
  /// 20 bytes each while the table is made. A browser has 0.6 million.
  uint64_t maxFunctions = 2 << 20;
  /// 4 bytes each. A static database server of 500 MB has some 4 million.
  uint64_t maxRows = 8 << 20;
  /// Of the finished table: the share of one binary in the budget of all.
  uint64_t maxBytes = 40 << 20;
  /// Of an inflated .debug_frame, which is held in memory.
  uint64_t maxInflatedBytes = 64 << 20;
  /// Set by another thread to stop.
  const std::atomic<bool>* cancelled = nullptr;
};

/// `debugFile`: a separate debug file of the same binary, for its .debug_frame (musl has nothing else).
/// The table's statistics are filled in any case.
Refusal build(const ElfReader& elf, const Limits& limits, UnwindTable& out, const ElfReader* debugFile = nullptr);

}  // namespace fleetflame::unwind

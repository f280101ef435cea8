// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>

#include "byte-cursor.h"
#include "byte-window.h"
#include "elf-reader.h"
#include "rule-from-state.h"

namespace fleetflame::unwind {

/// The functions of a Go program by the table that Go's own runtime unwinds with: no strip removes it.
///
///   u32 magic | 0 0 | u8 quantum | u8 8 | counts and offsets of the parts | parts
///   functab:  (entry, place of the function's record) ... end of the last function
///   record:   entry, name, ..., pcsp, ...
///   pcsp:     (difference of the stack's depth, zigzag) (bytes of code, in quanta) ... 0
///
/// Depth is what the function has put on the stack below its return address, so CFA = rsp + depth + 8.
class GoTable {
 public:
  /// How a function is unwound.
  enum Kind : uint32_t {
    /// By its depth.
    Depth,
    /// Where Go's stacks begin: nothing called it that could be shown.
    Outermost,
    /// It calls on another stack than it was called on; the frame pointer leads back.
    SwitchesStack,
    /// Its first byte is what a callback from C seems to return to.
    ReturnedTo,
  };

  struct Function {
    uint64_t start;
    uint64_t length;
    /// Of its depths in the table.
    uint64_t depths;
    Kind kind;
  };

  /// One stretch of a function: from `start` on the stack has this depth.
  struct Stretch {
    uint64_t start;
    int64_t depth;
  };

  explicit GoTable(const ElfReader& elf) : elf_(elf) {}

  /// False when there is no table, or none that can be read: then its functions have no rows but those of .debug_frame.
  bool open();

  /// False after the last one, or where the table stops making sense.
  bool next(Function& out);
  /// The table ended early.
  bool damaged() const { return damaged_; }

  /// Calls back with the stretches in order; false when the depths make no sense or `each` wants no more. `end`: of the last.
  template <typename Each>
  bool stretches(uint64_t depths, uint64_t start, uint64_t& end, Each each);

  size_t memoryBytes() const { return table_ == nullptr ? 0 : table_->memoryBytes(); }

 private:
  struct Place {
    uint64_t entry;
    uint64_t record;
  };

  bool readHeader(uint64_t address);
  /// The address that entries count from, when the header does not say it: see go-module.h.
  bool findText(uint64_t address);
  bool placeAt(uint64_t index, Place& out);
  bool word(uint64_t at, size_t bytes, uint64_t& out);
  Kind kindOf(uint64_t name);

  const ElfReader& elf_;
  std::unique_ptr<ByteWindow> table_;
  uint64_t functions_ = 0;
  uint64_t textStart_ = 0;
  uint64_t namesAt_ = 0;
  uint64_t depthsAt_ = 0;
  uint64_t functabAt_ = 0;
  /// What records of functions count from.
  uint64_t recordsFrom_ = 0;
  size_t entryBytes_ = 0;
  uint64_t quantum_ = 1;
  uint64_t index_ = 0;
  bool damaged_ = false;
};

template <typename Each>
bool GoTable::stretches(uint64_t depths, uint64_t start, uint64_t& end, Each each) {
  // A pair of numbers has ten bytes at most; real ones have two or three.
  constexpr size_t PAIR_BYTES = 20;
  uint64_t at = depthsAt_ + depths;
  uint64_t pc = start;
  int64_t depth = -1;
  while (true) {
    if (at < depthsAt_ || at >= table_->size()) return false;
    const auto most = static_cast<size_t>(std::min<uint64_t>(PAIR_BYTES, table_->size() - at));
    const uint8_t* bytes = table_->view(at, most);
    if (bytes == nullptr) return false;
    ByteCursor cursor(bytes, most);
    const uint64_t change = cursor.uleb();
    if (!cursor.ok()) return false;
    end = pc;
    if (change == 0 && pc != start) return true;
    // Depths have 32 bits, and so have their differences.
    if (change > UINT32_MAX) return false;
    depth += static_cast<int64_t>((change & 1) != 0 ? ~(change >> 1) : change >> 1);
    const uint64_t quanta = cursor.uleb();
    // Nothing is longer than the code of a binary, whose addresses have 32 bits here.
    if (!cursor.ok() || quanta == 0 || quanta > UINT32_MAX || depth < INT32_MIN || depth > INT32_MAX) return false;
    if (!each(Stretch{pc, depth})) return false;
    pc += quanta * quantum_;
    at += cursor.position();
  }
}

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "byte-source.h"

namespace fleetflame::unwind {

/// Reads a part of a source piece by piece with little memory. Frame entries are visited by address
/// of their code, which is nearly but not quite their order in the file (cold parts, sorted
/// functions), so a few windows are kept instead of one.
class ByteWindow {
 public:
  static constexpr size_t WINDOW_BYTES = 16 << 10;
  static constexpr size_t WINDOWS = 8;
  /// Of one piece. The largest frame entries seen are some 10 kB.
  static constexpr size_t MAX_PIECE_BYTES = 1 << 20;

  /// `offset` and `size` bound what can be read of the source.
  ByteWindow(ByteSource& source, uint64_t offset, uint64_t size);

  uint64_t size() const { return size_; }

  /// Bytes [at, at + length) of the part; valid until the next call. nullptr when they cannot be read.
  const uint8_t* view(uint64_t at, size_t length);

  size_t memoryBytes() const { return WINDOWS * WINDOW_BYTES + piece_.capacity(); }

 private:
  struct Slot {
    uint64_t start = 0;
    size_t filled = 0;
    uint64_t used = 0;
  };

  ByteSource& source_;
  uint64_t offset_;
  uint64_t size_;
  uint64_t clock_ = 0;
  std::array<Slot, WINDOWS> slots_{};
  std::unique_ptr<uint8_t[]> bytes_;
  /// For what crosses a window's end.
  std::vector<uint8_t> piece_;
};

}  // namespace fleetflame::unwind

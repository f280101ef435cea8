// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace fleetflame::symbols {

/// What one conversion may cost. Who crosses a limit is refused as a whole: a table that silently lacks
/// the second half of its lines is worse than one without lines.
struct Limits {
  /// Entries (DIEs) visited. Chromium has some 400 million; a damaged file can lead in circles.
  uint64_t entries = 1'000'000'000;
  /// Encoded rows, and all names together: offsets into both are 32 bits wide in the table.
  size_t rowBytes = 512u << 20;
  size_t stringBytes = 1u << 30;
  size_t functions = 16'000'000;
  size_t calls = 32'000'000;
  size_t ranges = 32'000'000;
  size_t files = 4'000'000;
  /// Ranges of one entry. The most seen are some 2,000 (inlined loops of codecs).
  size_t rangesOfEntry = 1'000'000;
  /// Scopes and line rows of one unit.
  size_t rowsOfUnit = 100'000'000;
};

/// Entries inside of each other. GCC nests some 60 deep in the worst templates.
constexpr unsigned MAX_DEPTH = 512;
/// Calls inlined into each other. What is deeper is shown as a part of its caller.
constexpr unsigned MAX_INLINE_DEPTH = 128;
/// Longer names are cut: TypeScript does the same with symbols.
constexpr size_t MAX_NAME_BYTES = 65'535;
/// Addresses are stored as 32 bits from the first.
constexpr uint64_t MAX_SPAN = UINT64_C(1) << 32;

/// How the process ends when its memory does; 1: refused, with a message.
constexpr int EXIT_OUT_OF_MEMORY = 3;

/// The file is refused; the message is for people.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace fleetflame::symbols

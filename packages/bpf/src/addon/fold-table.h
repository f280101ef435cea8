// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fleetflame {

struct Frame {
  uint64_t address;
  uint32_t binary;
  bool isReturn;
};

/// What makes two samples with the same frames different.
struct SampleKey {
  uint32_t pid;
  std::string_view comm;
  /// Unix time.
  int64_t second;
  uint8_t flags;
  /// enum stack_end
  uint8_t end = 0;
};

/// Counts equal samples: a hash table from (process, thread name, second, flags, stack) to a count.
/// Rows and frames are kept in the order and layout in which JavaScript gets them.
class FoldTable {
 public:
  /// 64 CPUs at 99 Hz give 63,360 samples in ten seconds, before folding.
  static constexpr size_t DEFAULT_MAX_ROWS = 65536;
  /// 13 bytes each. Measured stacks have about 20 frames on average.
  static constexpr size_t MAX_FRAMES_PER_ROW = 32;

  explicit FoldTable(size_t maxRows = DEFAULT_MAX_ROWS) : maxRows_(maxRows) {}

  /// False when a new row is needed and there is no room for it.
  bool add(const SampleKey& key, std::span<const Frame> frames);

  size_t maxRows() const { return maxRows_; }
  size_t memoryBytes() const;

  // Columns, one entry per row.
  std::vector<uint32_t> pid;
  std::vector<uint32_t> comm;
  std::vector<int64_t> second;
  std::vector<uint32_t> count;
  std::vector<uint8_t> flags;
  std::vector<uint8_t> end;
  /// Row i's frames are [stackStart[i], stackStart[i + 1]).
  std::vector<uint32_t> stackStart{0};
  // One entry per frame.
  std::vector<uint64_t> frameAddress;
  std::vector<uint32_t> frameBinary;
  std::vector<uint8_t> frameIsReturn;

  std::vector<std::string> comms;

 private:
  size_t rows() const { return count.size(); }
  bool equals(size_t row, uint64_t hash, const SampleKey& key, uint32_t commIndex, std::span<const Frame> frames) const;
  bool commIndex(std::string_view comm, uint32_t& index);
  void grow();

  size_t maxRows_;
  /// Row + 1, 0 is free. A power of two, at most half full.
  std::vector<uint32_t> slots_;
  std::vector<uint64_t> hashes_;
  std::unordered_map<std::string, uint32_t> commIndexes_;
};

}  // namespace fleetflame

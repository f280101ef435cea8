// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "limits.h"

namespace fleetflame::symbols {

/// From `address` on: the innermost inlined call (index plus 1; 0: none), source file (0: unknown), line.
struct Row {
  uint64_t address;
  uint32_t call;
  uint32_t file;
  uint32_t line;

  bool saysAs(const Row& other) const {
    return call == other.call && file == other.file && line == other.line;
  }
  bool saysNothing() const { return call == 0 && file == 0 && line == 0; }
};

/// Rows as bytes, in blocks that can be read from their beginning: docs/symbols-format.md.
/// An address belongs to whoever claims it first: linkers fold equal functions, and then several units
/// describe one piece of code.
class RowEncoder {
 public:
  /// Looking an address up reads half a block: 16 rows take some 60 ns, and a block costs 8 bytes.
  static constexpr unsigned ROWS_PER_BLOCK = 32;

  struct Block {
    uint64_t start;
    uint64_t offset;
    uint32_t length;
  };

  explicit RowEncoder(size_t mostBytes) : mostBytes_(mostBytes) {}

  /// Rows of [rows[0].address, end), by address. Returns how many were new.
  uint64_t add(const std::vector<Row>& rows, uint64_t end);

  /// In the order of addition; sort() puts them in the order of addresses.
  const std::vector<Block>& blocks() const { return blocks_; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  void sort();

 private:
  uint64_t encode(const std::vector<Row>& rows, uint64_t start, uint64_t end);
  void varint(uint32_t value);
  void delta(uint32_t value, uint32_t before);

  size_t mostBytes_;
  /// Claimed: start → end, neither touching nor overlapping.
  std::map<uint64_t, uint64_t> claimed_;
  std::vector<Block> blocks_;
  std::vector<uint8_t> bytes_;
};

}  // namespace fleetflame::symbols

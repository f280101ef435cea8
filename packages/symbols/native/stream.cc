// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fleetflame::symbols {

namespace {

constexpr char MAGIC[] = "FFDWLINE";
constexpr uint32_t VERSION = 1;
constexpr size_t BUFFER_BYTES = 256 << 10;

class Out {
 public:
  explicit Out(int descriptor) : descriptor_(descriptor) { buffer_.reserve(BUFFER_BYTES); }

  void bytes(const void* from, size_t length) {
    const auto* at = static_cast<const char*>(from);
    while (length > 0) {
      const size_t part = std::min(length, BUFFER_BYTES - buffer_.size());
      buffer_.append(at, part);
      at += part;
      length -= part;
      if (buffer_.size() == BUFFER_BYTES) flush();
    }
  }
  void u32(uint64_t value) {
    const auto narrow = static_cast<uint32_t>(value);
    bytes(&narrow, sizeof narrow);
  }
  void u64(uint64_t value) { bytes(&value, sizeof value); }
  /// A column: what `value` gives of each row.
  template <typename Rows, typename Value>
  void column(const Rows& rows, Value value) {
    for (const auto& row : rows) u32(value(row));
  }
  void flush() {
    size_t written = 0;
    while (written < buffer_.size()) {
      const ssize_t count = ::write(descriptor_, buffer_.data() + written, buffer_.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) throw Refused(std::string("the result cannot be written: ") + std::strerror(errno));
      written += static_cast<size_t>(count);
    }
    buffer_.clear();
  }

 private:
  int descriptor_;
  std::string buffer_;
};

std::string notesOf(const Tables& tables, const Supplement& supplement) {
  std::string notes;
  const auto note = [&](const char* name, const std::string& value) { notes += name + (" " + value) + "\n"; };
  note("units", std::to_string(tables.units));
  note("splitUnits", std::to_string(tables.splitUnits));
  note("damagedUnits", std::to_string(tables.damagedUnits));
  note("unnamedFunctions", std::to_string(tables.unnamedFunctions));
  note("tooDeep", std::to_string(tables.tooDeep));
  note("rows", std::to_string(tables.rowCount));
  if (!supplement.buildId.empty()) {
    note("supplementUsed", supplement.used ? "1" : "0");
    note("supplementId", supplement.buildId);
    std::string path = supplement.path.substr(0, 4096);
    std::replace(path.begin(), path.end(), '\n', '?');
    note("supplementPath", path);
  }
  return notes;
}

/// Leaves out what lies more than 4 GiB behind the first: programs do not.
uint64_t cutToSpan(std::vector<FunctionRange>& ranges, const std::vector<RowEncoder::Block>& blocks, size_t& blockCount) {
  uint64_t base = UINT64_MAX;
  for (const FunctionRange& range : ranges) base = std::min(base, range.start);
  if (!blocks.empty()) base = std::min(base, blocks.front().start);
  if (base == UINT64_MAX) base = 0;
  std::erase_if(ranges, [&](const FunctionRange& range) { return range.end - base >= MAX_SPAN; });
  blockCount = static_cast<size_t>(std::partition_point(blocks.begin(), blocks.end(), [&](const RowEncoder::Block& block) {
                                     return block.start - base < MAX_SPAN;
                                   }) - blocks.begin());
  return base;
}

}  // namespace

void writeTables(int descriptor, Tables& tables, const Supplement& supplement) {
  tables.rows.sort();
  const std::string notes = notesOf(tables, supplement);
  size_t blockCount = 0;
  const uint64_t base = cutToSpan(tables.ranges, tables.rows.blocks(), blockCount);
  const std::vector<RowEncoder::Block> blocks(tables.rows.blocks().begin(), tables.rows.blocks().begin() + static_cast<ptrdiff_t>(blockCount));
  uint64_t rowBytes = 0;
  for (const auto& block : blocks) rowBytes += block.length;

  Out out(descriptor);
  out.bytes(MAGIC, 8);
  for (const uint64_t value :
       {uint64_t{VERSION}, uint64_t{tables.ranges.size()}, uint64_t{tables.functions.tuples().size()},
        uint64_t{tables.calls.tuples().size()}, uint64_t{blocks.size()}, uint64_t{tables.files.tuples().size()}, rowBytes,
        uint64_t{tables.strings.bytes().size()}, uint64_t{notes.size()}, uint64_t{0}})
    out.u32(value);
  out.u64(base);
  out.column(tables.ranges, [&](const FunctionRange& range) { return range.start - base; });
  out.column(tables.ranges, [&](const FunctionRange& range) { return range.end - range.start; });
  out.column(tables.ranges, [&](const FunctionRange& range) { return uint64_t{range.function}; });
  const auto& functions = tables.functions.tuples();
  for (const size_t part : {0, 1})
    out.column(functions, [&](const auto& tuple) { return uint64_t{tables.strings.offsetOf(tuple[part])}; });
  for (const size_t part : {2, 3}) out.column(functions, [&](const auto& tuple) { return uint64_t{tuple[part]}; });
  for (const size_t part : {0, 1, 2, 3})
    out.column(tables.calls.tuples(), [&](const auto& tuple) { return uint64_t{tuple[part]}; });
  out.column(blocks, [&](const RowEncoder::Block& block) { return block.start - base; });
  out.column(blocks, [&](const RowEncoder::Block& block) { return uint64_t{block.length}; });
  out.column(tables.files.tuples(), [&](const auto& tuple) { return uint64_t{tables.strings.offsetOf(tuple[0])}; });
  for (const auto& block : blocks) out.bytes(tables.rows.bytes().data() + block.offset, block.length);
  out.bytes(tables.strings.bytes().data(), tables.strings.bytes().size());
  out.bytes(notes.data(), notes.size());
  out.flush();
}

}  // namespace fleetflame::symbols

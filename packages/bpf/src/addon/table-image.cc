// SPDX-License-Identifier: Apache-2.0
#include "table-image.h"

#include <algorithm>
#include <cstring>

namespace fleetflame {
namespace {

using unwind::UnwindTable;

struct Row {
  uint32_t offset;
  uint16_t rule;
};

static_assert(sizeof(table_node) == TABLE_BLOCK_BYTES && sizeof(table_leaf) == TABLE_BLOCK_BYTES &&
              sizeof(table_rules) == TABLE_BLOCK_BYTES);

/// The rows of a table in order, with the address of each.
class RowReader {
 public:
  explicit RowReader(const UnwindTable& table) : table_(table) {}

  bool atEnd() const { return row_ >= table_.rows.size(); }
  uint64_t address() {
    while (page_ + 2 < table_.pages.size() && table_.pages[page_ + 1] <= row_) page_++;
    return table_.base + (uint64_t{page_} << UnwindTable::PAGE_BITS) + UnwindTable::addressLow(table_.rows[row_]);
  }
  uint16_t rule() const { return UnwindTable::ruleIndex(table_.rows[row_]); }
  void next() { row_++; }

 private:
  const UnwindTable& table_;
  size_t page_ = 0;
  size_t row_ = 0;
};

void append(std::vector<Row>& rows, uint64_t offset, uint16_t rule) {
  const auto at = static_cast<uint32_t>(offset);
  if (!rows.empty() && rows.back().offset == at) rows.pop_back();
  if (rows.empty() || rows.back().rule != rule) rows.push_back({at, rule});
}

/// Rows by file offset. Segments are in order of address; in a file they nearly always are too.
bool toOffsets(const UnwindTable& table, std::vector<unwind::ElfReader::Segment> segments, std::vector<Row>& rows) {
  std::erase_if(segments, [](const auto& segment) { return !segment.executable || segment.fileSize == 0; });
  rows.reserve(table.rows.size() + 2 * segments.size() + 1);
  append(rows, 0, UNWIND_RULE_NONE);
  RowReader reader(table);
  uint16_t current = UNWIND_RULE_NONE;
  uint64_t done = 0;
  for (const auto& segment : segments) {
    // What lies before the last segment in the file as well as after it cannot be mapped twice.
    if (segment.offset < done || segment.offset + segment.fileSize >= TABLE_NO_KEY) return false;
    for (; !reader.atEnd() && reader.address() <= segment.address; reader.next()) current = reader.rule();
    append(rows, segment.offset, current);
    for (; !reader.atEnd() && reader.address() - segment.address < segment.fileSize; reader.next()) {
      current = reader.rule();
      append(rows, segment.offset + (reader.address() - segment.address), current);
    }
    done = segment.offset + segment.fileSize;
    append(rows, done, UNWIND_RULE_NONE);
  }
  return true;
}

template <typename Block>
Block& addBlock(TableImage& image) {
  static_assert(sizeof(Block) == TABLE_BLOCK_BYTES);
  image.blocks.resize(image.blocks.size() + sizeof(Block));
  return *reinterpret_cast<Block*>(image.blocks.data() + image.blocks.size() - sizeof(Block));
}

/// Puts rows into leaves; returns the first offset of each.
std::vector<uint32_t> addLeaves(const std::vector<Row>& rows, TableImage& image) {
  std::vector<uint32_t> firsts;
  image.blocks.reserve((rows.size() / TABLE_FANOUT + 64) * TABLE_BLOCK_BYTES);
  for (size_t at = 0; at < rows.size();) {
    auto& leaf = addBlock<table_leaf>(image);
    std::fill(std::begin(leaf.offset), std::end(leaf.offset), uint16_t{TABLE_NO_OFFSET});
    const uint32_t first = rows[at].offset;
    firsts.push_back(first);
    for (size_t i = 0; i < TABLE_FANOUT && at < rows.size() && rows[at].offset - first < TABLE_NO_OFFSET; i++, at++) {
      leaf.offset[i] = static_cast<uint16_t>(rows[at].offset - first);
      leaf.rule[i] = rows[at].rule;
    }
  }
  return firsts;
}

/// Nodes over children with these keys; returns the first key of each.
std::vector<uint32_t> addNodes(const std::vector<uint32_t>& keys, TableImage& image) {
  std::vector<uint32_t> firsts;
  for (size_t at = 0; at < keys.size(); at += TABLE_FANOUT) {
    auto& node = addBlock<table_node>(image);
    std::fill(std::begin(node.key), std::end(node.key), uint32_t{TABLE_NO_KEY});
    firsts.push_back(keys[at]);
    for (size_t i = 0; i < TABLE_FANOUT && at + i < keys.size(); i++) node.key[i] = keys[at + i];
  }
  return firsts;
}

void addRules(const std::vector<unwind::Rule>& rules, TableImage& image) {
  for (size_t at = 0; at < rules.size(); at += TABLE_RULES_PER_BLOCK) {
    auto& block = addBlock<table_rules>(image);
    for (size_t i = 0; i < TABLE_RULES_PER_BLOCK && at + i < rules.size(); i++) block.rule[i] = rules[at + i];
  }
}

template <typename Block>
const Block& blockAt(const TableImage& image, size_t place) {
  return *reinterpret_cast<const Block*>(image.blocks.data() + place * TABLE_BLOCK_BYTES);
}

}  // namespace

bool toTableImage(const UnwindTable& table, const std::vector<unwind::ElfReader::Segment>& segments, TableImage& out) {
  out = TableImage{};
  std::vector<Row> rows;
  if (!toOffsets(table, segments, rows)) return false;
  std::vector<uint32_t> keys = addLeaves(rows, out);
  rows = {};
  // The levels are made from the bottom; the program goes down from the top.
  std::vector<uint32_t> levelFirst;
  do {
    levelFirst.push_back(static_cast<uint32_t>(out.blockCount()));
    keys = addNodes(keys, out);
  } while (keys.size() > 1);
  if (levelFirst.size() > TABLE_MAX_LEVELS) return false;
  out.info.levels = static_cast<uint32_t>(levelFirst.size());
  std::reverse_copy(levelFirst.begin(), levelFirst.end(), out.info.level_first);
  out.info.flags = table.statistics.isGo ? TABLE_IS_GO : 0;
  out.info.rules_first = static_cast<uint32_t>(out.blockCount());
  addRules(table.rules, out);
  out.blocks.shrink_to_fit();
  return true;
}

const unwind_rule* findRule(const TableImage& image, uint32_t offset) {
  const auto lastNotAbove = [](const auto& keys, uint32_t value) {
    return static_cast<size_t>(std::max<ptrdiff_t>(1, std::upper_bound(std::begin(keys), std::end(keys), value) - std::begin(keys))) - 1;
  };
  size_t place = 0;
  uint32_t first = 0;
  for (uint32_t level = 0; level < image.info.levels; level++) {
    const auto& node = blockAt<table_node>(image, image.info.level_first[level] + place);
    const size_t at = lastNotAbove(node.key, offset);
    first = node.key[at];
    place = place * TABLE_FANOUT + at;
  }
  const auto& leaf = blockAt<table_leaf>(image, image.info.leaves_first + place);
  const size_t at = lastNotAbove(leaf.offset, std::min<uint32_t>(offset - first, TABLE_NO_OFFSET - 1));
  const uint16_t rule = leaf.rule[at];
  return &blockAt<table_rules>(image, image.info.rules_first + rule / TABLE_RULES_PER_BLOCK).rule[rule % TABLE_RULES_PER_BLOCK];
}

}  // namespace fleetflame

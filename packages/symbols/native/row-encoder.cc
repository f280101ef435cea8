// SPDX-License-Identifier: Apache-2.0
#include "row-encoder.h"

#include <algorithm>
#include <string>

namespace fleetflame::symbols {

/// Two bits of a distance's 32 are flags.
static constexpr uint64_t MAX_DISTANCE = UINT64_C(1) << 30;

uint64_t RowEncoder::add(const std::vector<Row>& rows, uint64_t end) {
  if (rows.empty() || rows[0].address >= end) return 0;
  const uint64_t start = rows[0].address;
  uint64_t added = 0;
  // What lies between the claims of others.
  auto next = claimed_.upper_bound(start);
  if (next != claimed_.begin() && std::prev(next)->second > start) --next;
  uint64_t position = start;
  while (position < end) {
    const uint64_t until = next == claimed_.end() ? end : std::min(end, next->first);
    if (until > position) added += encode(rows, position, until);
    if (next == claimed_.end()) break;
    position = std::max(position, next->second);
    ++next;
  }
  // One claim of this and of all that it touches.
  uint64_t low = start;
  uint64_t high = end;
  auto from = claimed_.lower_bound(low);
  if (from != claimed_.begin() && std::prev(from)->second >= low) --from;
  while (from != claimed_.end() && from->first <= high) {
    low = std::min(low, from->first);
    high = std::max(high, from->second);
    from = claimed_.erase(from);
  }
  claimed_[low] = high;
  return added;
}

uint64_t RowEncoder::encode(const std::vector<Row>& rows, uint64_t start, uint64_t end) {
  // The last row that begins at or before the start.
  auto at = std::upper_bound(rows.begin(), rows.end(), start,
                             [](uint64_t address, const Row& row) { return address < row.address; });
  if (at != rows.begin()) --at;
  uint64_t count = 0;
  unsigned inBlock = 0;
  Row state{};
  const auto put = [&](const Row& row) {
    if (inBlock == 0) {
      blocks_.push_back({row.address, bytes_.size(), 0});
      state = {row.address, 0, 0, 0};
    }
    const bool newCall = row.call != state.call;
    const bool newFile = row.file != state.file;
    varint(static_cast<uint32_t>(row.address - state.address) << 2 | (newFile ? 2 : 0) | (newCall ? 1 : 0));
    if (newCall) delta(row.call, state.call);
    if (newFile) delta(row.file, state.file);
    delta(row.line, state.line);
    state = row;
    inBlock++;
    count++;
  };
  const auto close = [&] {
    if (inBlock == 0) return;
    blocks_.back().length = static_cast<uint32_t>(bytes_.size() - blocks_.back().offset);
    inBlock = 0;
  };
  for (; at != rows.end() && at->address < end; ++at) {
    Row row = *at;
    row.address = std::max(row.address, start);
    if (inBlock > 0 && row.saysAs(state)) continue;
    if (inBlock == ROWS_PER_BLOCK || (inBlock > 0 && row.address - state.address >= MAX_DISTANCE)) close();
    put(row);
  }
  // What follows is not ours. In the same block, because the next one may begin at this address.
  if (inBlock > 0 && !state.saysNothing() && end - state.address < MAX_DISTANCE) put({end, 0, 0, 0});
  close();
  if (bytes_.size() > mostBytes_)
    throw Refused("its lines take more than " + std::to_string(mostBytes_) + " bytes");
  return count;
}

void RowEncoder::varint(uint32_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<uint8_t>(value));
}

void RowEncoder::delta(uint32_t value, uint32_t before) {
  const uint32_t difference = value - before;
  varint((difference << 1) ^ (0u - (difference >> 31)));
}

void RowEncoder::sort() {
  std::sort(blocks_.begin(), blocks_.end(), [](const Block& a, const Block& b) { return a.start < b.start; });
}

}  // namespace fleetflame::symbols

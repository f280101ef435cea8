// SPDX-License-Identifier: Apache-2.0
#include "event-queue.h"

#include <algorithm>
#include <tuple>

namespace fleetflame {

namespace {

/// A burst may grow the buffer; more than this is given back when it is over.
constexpr size_t KEEP_BYTES = 1 << 20;

}  // namespace

void EventQueue::add(Kind kind, uint64_t timeNs, std::span<const uint8_t> first, std::span<const uint8_t> second) {
  const auto offset = static_cast<uint32_t>(bytes_.size());
  bytes_.insert(bytes_.end(), first.begin(), first.end());
  bytes_.insert(bytes_.end(), second.begin(), second.end());
  entries_.push_back({timeNs, offset, static_cast<uint32_t>(first.size() + second.size()), kind});
}

void EventQueue::sort() {
  // Stable: records of one ring with equal times stay in the kernel's order.
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.timeNs, a.kind) < std::tie(b.timeNs, b.kind);
  });
}

void EventQueue::discard(size_t count) {
  std::vector<uint8_t> bytes;
  if (bytes_.capacity() <= KEEP_BYTES) bytes.reserve(bytes_.capacity());
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(count));
  for (Entry& entry : entries_) {
    const auto begin = bytes_.begin() + entry.offset;
    entry.offset = static_cast<uint32_t>(bytes.size());
    bytes.insert(bytes.end(), begin, begin + entry.size);
  }
  bytes_ = std::move(bytes);
  if (entries_.capacity() * sizeof(Entry) > KEEP_BYTES) entries_.shrink_to_fit();
}

}  // namespace fleetflame

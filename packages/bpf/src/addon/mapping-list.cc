// SPDX-License-Identifier: Apache-2.0
#include "mapping-list.h"

#include <algorithm>
#include <array>

namespace fleetflame {

bool MappingList::insert(Mapping mapping) {
  if (mapping.start >= mapping.end) return true;
  if (const Mapping* same = find(mapping.start);
      same && same->start == mapping.start && same->end == mapping.end && same->fileOffset == mapping.fileOffset &&
      same->binary == mapping.binary) {
    return true;
  }
  if (mapping.binary == ANONYMOUS_BINARY) joinAnonymous(mapping);
  const auto first = std::partition_point(mappings_.begin(), mappings_.end(),
                                          [&](const Mapping& other) { return other.end <= mapping.start; });
  const auto last = std::partition_point(first, mappings_.end(),
                                         [&](const Mapping& other) { return other.start < mapping.end; });
  // What sticks out of the replaced range on either side stays: at most a left and a right rest.
  std::array<Mapping, 3> parts{};
  size_t count = 0;
  if (first != last && first->start < mapping.start) {
    parts[count++] = {first->start, mapping.start, first->fileOffset, first->binary};
  }
  parts[count++] = mapping;
  if (first != last) {
    const Mapping& tail = *(last - 1);
    if (tail.end > mapping.end) {
      parts[count++] = {mapping.end, tail.end, tail.fileOffset + (mapping.end - tail.start), tail.binary};
    }
  }
  const auto replaced = static_cast<size_t>(last - first);
  if (mappings_.size() - replaced + count > MAX_MAPPINGS) return false;
  kernelMappings.reset();
  const auto at = mappings_.erase(first, last);
  mappings_.insert(at, parts.begin(), parts.begin() + static_cast<ptrdiff_t>(count));
  return true;
}

void MappingList::joinAnonymous(Mapping& mapping) const {
  const auto first = std::partition_point(mappings_.begin(), mappings_.end(),
                                          [&](const Mapping& other) { return other.end < mapping.start; });
  const auto last = std::partition_point(first, mappings_.end(),
                                         [&](const Mapping& other) { return other.start <= mapping.end; });
  if (first == last) return;
  if (first->binary == ANONYMOUS_BINARY) mapping.start = std::min(mapping.start, first->start);
  if ((last - 1)->binary == ANONYMOUS_BINARY) mapping.end = std::max(mapping.end, (last - 1)->end);
}

const Mapping* MappingList::find(uint64_t address) const {
  const auto after = std::partition_point(mappings_.begin(), mappings_.end(),
                                          [&](const Mapping& mapping) { return mapping.start <= address; });
  if (after == mappings_.begin()) return nullptr;
  const Mapping& mapping = *(after - 1);
  return address < mapping.end ? &mapping : nullptr;
}

}  // namespace fleetflame

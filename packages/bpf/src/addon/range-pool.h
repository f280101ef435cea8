// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace fleetflame {

/// Hands out ranges of an array, first fit, and joins what comes back with its neighbours.
class RangePool {
 public:
  explicit RangePool(uint32_t size) : free_{{0, size}} {}

  std::optional<uint32_t> take(uint32_t count) {
    for (auto at = free_.begin(); at != free_.end(); ++at) {
      const auto [first, size] = *at;
      if (size < count) continue;
      free_.erase(at);
      if (size > count) free_.emplace(first + count, size - count);
      used_ += count;
      return first;
    }
    return std::nullopt;
  }

  void give(uint32_t first, uint32_t count) {
    used_ -= count;
    auto next = free_.upper_bound(first);
    if (next != free_.end() && first + count == next->first) {
      count += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == first) {
        before->second += count;
        return;
      }
    }
    free_.emplace(first, count);
  }

  uint32_t used() const { return used_; }

 private:
  /// First to size.
  std::map<uint32_t, uint32_t> free_;
  uint32_t used_ = 0;
};

}  // namespace fleetflame

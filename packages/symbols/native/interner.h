// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limits.h"

namespace fleetflame::symbols {

/// Numbers of things seen before, by hash: slots hold number + 1, open addressing, at most 2/3 full.
class HashIndex {
 public:
  /// `equal(number)` compares with what is looked for; `next` is the number that it gets when it is new.
  template <typename Equal, typename HashOf>
  uint32_t find(uint64_t hash, uint32_t next, Equal equal, HashOf hashOf) {
    if ((size_t{next} + 1) * 3 > slots_.size() * 2) grow(next, hashOf);
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
      if (slots_[at] == 0) {
        slots_[at] = next + 1;
        return next;
      }
      if (equal(slots_[at] - 1)) return slots_[at] - 1;
    }
  }

 private:
  template <typename HashOf>
  void grow(uint32_t count, HashOf hashOf) {
    std::vector<uint32_t> wider(slots_.empty() ? 1024 : slots_.size() * 2);
    const size_t mask = wider.size() - 1;
    for (uint32_t number = 0; number < count; number++) {
      size_t at = hashOf(number) & mask;
      while (wider[at] != 0) at = (at + 1) & mask;
      wider[at] = number + 1;
    }
    slots_.swap(wider);
  }

  std::vector<uint32_t> slots_;
};

inline uint64_t mix(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ (hash >> 29);
}

/// Rows of N numbers, each stored once.
template <size_t N>
class TupleTable {
 public:
  using Tuple = std::array<uint32_t, N>;

  TupleTable(size_t most, const char* what) : most_(most), what_(what) {}

  uint32_t intern(const Tuple& tuple) {
    const uint32_t next = static_cast<uint32_t>(tuples_.size());
    const uint32_t number = index_.find(
        hashOf(tuple), next, [&](uint32_t other) { return tuples_[other] == tuple; },
        [&](uint32_t other) { return hashOf(tuples_[other]); });
    if (number == next) {
      if (tuples_.size() >= most_)
        throw Refused("it has more than " + std::to_string(most_) + " " + what_);
      tuples_.push_back(tuple);
    }
    return number;
  }

  const std::vector<Tuple>& tuples() const { return tuples_; }

 private:
  static uint64_t hashOf(const Tuple& tuple) {
    uint64_t hash = 0;
    for (const uint32_t value : tuple) hash = mix(hash + value + 1);
    return hash;
  }

  size_t most_;
  const char* what_;
  std::vector<Tuple> tuples_;
  HashIndex index_;
};

/// Texts, each stored once, zero-ended in one piece of memory. Text 0 is the empty one.
class StringTable {
 public:
  explicit StringTable(size_t mostBytes) : mostBytes_(mostBytes) { intern(""); }

  /// Number of the text; offsetOf() says where it begins.
  uint32_t intern(std::string_view text) {
    text = text.substr(0, MAX_NAME_BYTES);
    const uint32_t next = static_cast<uint32_t>(offsets_.size());
    const uint32_t number = index_.find(
        hashOf(text), next, [&](uint32_t other) { return at(other) == text; },
        [&](uint32_t other) { return hashOf(at(other)); });
    if (number == next) {
      if (bytes_.size() + text.size() + 1 > mostBytes_)
        throw Refused("its names take more than " + std::to_string(mostBytes_) + " bytes");
      offsets_.push_back(static_cast<uint32_t>(bytes_.size()));
      lengths_.push_back(static_cast<uint16_t>(text.size()));
      bytes_.append(text);
      bytes_.push_back('\0');
    }
    return number;
  }

  std::string_view at(uint32_t number) const {
    return {bytes_.data() + offsets_[number], lengths_[number]};
  }
  uint32_t offsetOf(uint32_t number) const { return offsets_[number]; }
  const std::string& bytes() const { return bytes_; }

 private:
  static uint64_t hashOf(std::string_view text) { return mix(std::hash<std::string_view>{}(text)); }

  size_t mostBytes_;
  std::string bytes_;
  std::vector<uint32_t> offsets_;
  std::vector<uint16_t> lengths_;
  HashIndex index_;
};

}  // namespace fleetflame::symbols

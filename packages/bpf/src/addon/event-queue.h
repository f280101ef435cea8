// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fleetflame {

/// Raw records from all rings between reading and replay. The rings of different CPUs and of BPF are
/// each nearly in time order, but not among each other; replay merges them.
class EventQueue {
 public:
  /// Process records come before samples of the same nanosecond.
  enum class Kind : uint8_t { process, sample };

  /// What the queue may hold. Past it the rings are left unread until the next drain, so that the
  /// kernel, not this process, runs out of room, and counts it.
  static constexpr size_t MAX_BYTES = 64 << 20;

  bool full() const { return bytes_.size() >= MAX_BYTES; }
  size_t size() const { return entries_.size(); }
  size_t memoryBytes() const { return bytes_.capacity() + entries_.capacity() * sizeof(Entry); }

  /// Adds a record made of up to two pieces (a ring may wrap inside one).
  void add(Kind kind, uint64_t timeNs, std::span<const uint8_t> first, std::span<const uint8_t> second = {});

  /// Calls visit(kind, bytes) in time order for everything up to and including `untilNs`, and keeps
  /// the rest for the next time.
  template <typename Visit>
  void replay(uint64_t untilNs, Visit visit) {
    sort();
    size_t done = 0;
    while (done < entries_.size() && entries_[done].timeNs <= untilNs) {
      const Entry& entry = entries_[done++];
      visit(entry.kind, std::span<const uint8_t>(bytes_).subspan(entry.offset, entry.size));
    }
    discard(done);
  }

 private:
  struct Entry {
    uint64_t timeNs;
    uint32_t offset;
    uint32_t size;
    Kind kind;
  };

  void sort();
  void discard(size_t count);

  std::vector<uint8_t> bytes_;
  std::vector<Entry> entries_;
};

}  // namespace fleetflame

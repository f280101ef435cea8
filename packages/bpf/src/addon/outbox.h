// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "fold-table.h"

namespace fleetflame {

struct ProcessEvent {
  enum class Kind : uint8_t { start, exec, exit };

  Kind kind;
  bool existing;
  uint32_t pid;
  uint32_t parentPid;
  uint64_t timeNs;
  std::string comm;
  std::string executable;
};

struct BinaryEvent {
  uint32_t id;
  uint32_t pid;
  uint64_t start;
  uint64_t end;
  uint64_t fileOffset;
  std::string path;
  std::string buildId;
};

/// What waits for JavaScript.
struct Outgoing {
  FoldTable rows;
  std::vector<ProcessEvent> processes;
  std::vector<BinaryEvent> binaries;
};

/// Where the drain thread leaves what JavaScript takes. The lock is held for one item at a time and
/// never over I/O, so neither side waits for the other's work.
class Outbox {
 public:
  /// Process events that wait. About 150 bytes each; a collect every ten seconds empties it.
  static constexpr size_t MAX_PROCESS_EVENTS = 65536;

  explicit Outbox(size_t maxRows) : waiting_{FoldTable(maxRows), {}, {}} {}

  /// False when there was no room for a new row.
  bool addSample(const SampleKey& key, std::span<const Frame> frames) {
    const std::lock_guard lock(mutex_);
    return waiting_.rows.add(key, frames);
  }

  /// False when too many wait.
  bool addProcess(ProcessEvent event) {
    const std::lock_guard lock(mutex_);
    if (waiting_.processes.size() >= MAX_PROCESS_EVENTS) return false;
    waiting_.processes.push_back(std::move(event));
    return true;
  }

  void addBinary(BinaryEvent event) {
    const std::lock_guard lock(mutex_);
    waiting_.binaries.push_back(std::move(event));
  }

  Outgoing take() {
    const std::lock_guard lock(mutex_);
    Outgoing fresh{FoldTable(waiting_.rows.maxRows()), {}, {}};
    std::swap(fresh, waiting_);
    return fresh;
  }

  size_t memoryBytes() {
    const std::lock_guard lock(mutex_);
    return waiting_.rows.memoryBytes() + waiting_.processes.capacity() * sizeof(ProcessEvent) +
           waiting_.binaries.capacity() * sizeof(BinaryEvent);
  }

 private:
  std::mutex mutex_;
  Outgoing waiting_;
};

}  // namespace fleetflame

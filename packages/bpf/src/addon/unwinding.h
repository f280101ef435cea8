// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "../bpf/unwind-maps.h"
#include "binary-table.h"
#include "mapped-memory.h"
#include "mapping-list.h"
#include "range-pool.h"
#include "table-manager.h"

namespace fleetflame {

struct Process;

/// Descriptors of the maps in bpf/unwind-mapping.h and bpf/unwind-lookup.h.
struct UnwindMaps {
  int processes;
  int mappings;
  int tables;
  int tableInfos;
  uint32_t maxMappings;
};

struct UnwindingStats {
  TableStats tables;
  /// In the kernel's maps now.
  uint64_t processes = 0;
  uint64_t mappings = 0;
  /// Not put there: no room for their mappings.
  uint64_t refused = 0;
};

/// A mapping list as the kernel has it: a range of the array of mappings, and the tables it names.
struct KernelMappings {
  uint32_t first = 0;
  uint32_t count = 0;
  std::vector<uint32_t> tables;
  /// Some tables are not there yet; they were asked for last at this time.
  bool unsettled = false;
  uint64_t askedNs = 0;
};

/// Keeps the maps by which the BPF program unwinds: mappings of processes that were sampled, tables
/// of the binaries in them. Used by the drain thread.
class Unwinding : public std::enable_shared_from_this<Unwinding> {
 public:
  Unwinding(const UnwindMaps& maps, BinaryTable& binaries, uint64_t budgetBytes, std::string cacheDirectory);

  /// A process was sampled while it ran `image`: from now on its stacks are unwound by tables.
  void follow(Process& process, uint64_t image);

  /// A child has the mappings of its parent.
  void inherit(const Process& parent, Process& child);

  /// The process ended, or became another program.
  void forget(Process& process);

  void tidy(uint64_t nowNs);

  UnwindingStats stats() const;

  /// May be called by any thread.
  std::vector<RefusedTable> refusedTables() const { return tables_.refused(); }

 private:
  struct Freed {
    uint64_t timeNs;
    uint32_t first;
    uint32_t count;
  };

  std::shared_ptr<KernelMappings> store(const Process& process);
  /// Asks again for tables that were turned away: the queue was full, or the budget.
  void settle(const Process& process, KernelMappings& mappings);
  void give(Process& process, uint64_t image, std::shared_ptr<KernelMappings> mappings);
  void take(const KernelMappings& mappings);

  const int processesFd_;
  BinaryTable& binaries_;
  MappedMemory mappings_;
  RangePool pool_;
  std::deque<Freed> freed_;
  TableManager tables_;
  uint64_t processes_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#include "unwinding.h"

#include <bpf/bpf.h>

#include "clock.h"
#include "process-table.h"

namespace fleetflame {
namespace {

/// A program that has just read the old range of a process may still be using it: milliseconds would do.
constexpr uint64_t REUSE_AFTER_NS = NS_PER_SECOND;
/// A queue of 256 binaries is worked off in some seconds; room in the budget comes when processes end.
constexpr uint64_t ASK_AGAIN_NS = 5 * NS_PER_SECOND;
/// [vsyscall] is above it, where the program's comparison of addresses has no sign bit left.
constexpr uint64_t USER_END = uint64_t{1} << 63;

}  // namespace

Unwinding::Unwinding(const UnwindMaps& maps, BinaryTable& binaries, uint64_t budgetBytes, std::string cacheDirectory)
    : processesFd_(maps.processes),
      binaries_(binaries),
      mappings_(maps.mappings, maps.maxMappings * sizeof(unwind_mapping)),
      pool_(maps.maxMappings),
      tables_(maps.tables, maps.tableInfos, budgetBytes, std::move(cacheDirectory)) {}

void Unwinding::follow(Process& process, uint64_t image) {
  if (image == 0 || !process.known || process.kernelThread || process.exitNs != 0) return;
  std::shared_ptr<KernelMappings>& current = process.mappings->kernelMappings;
  if (current && process.kernelMappings == current && process.image == image) {
    if (current->unsettled && monotonicNs() - current->askedNs >= ASK_AGAIN_NS) settle(process, *current);
    return;
  }
  if (!current) current = store(process);
  if (current) give(process, image, current);
}

void Unwinding::inherit(const Process& parent, Process& child) {
  if (!parent.kernelMappings || parent.kernelMappings != parent.mappings->kernelMappings) return;
  give(child, parent.image, parent.kernelMappings);
}

void Unwinding::forget(Process& process) {
  if (!process.kernelMappings) return;
  bpf_map_delete_elem(processesFd_, &process.pid);
  process.kernelMappings.reset();
  processes_--;
}

std::shared_ptr<KernelMappings> Unwinding::store(const Process& process) {
  auto all = process.mappings->all();
  while (!all.empty() && all.back().end > USER_END) all = all.first(all.size() - 1);
  if (all.empty()) return nullptr;
  const auto count = static_cast<uint32_t>(all.size());
  const std::optional<uint32_t> first = pool_.take(count);
  if (!first) {
    refused_++;
    return nullptr;
  }
  std::shared_ptr<KernelMappings> stored(new KernelMappings{*first, count, {}, true, monotonicNs()},
                                         [self = weak_from_this()](KernelMappings* mappings) {
                                           if (const auto owner = self.lock()) owner->take(*mappings);
                                           delete mappings;
                                         });
  auto* out = mappings_.as<unwind_mapping>() + *first;
  for (const Mapping& mapping : all) {
    uint32_t table = 0;
    if (mapping.binary != ANONYMOUS_BINARY && mapping.binary != UNMAPPED_BINARY) {
      table = tables_.acquire(mapping.binary, binaries_.buildIdOf(mapping.binary),
                              [&] { return binaries_.open(mapping, process.pid); });
      if (table != 0) stored->tables.push_back(table);
    }
    *out++ = {mapping.start, mapping.end, mapping.fileOffset, table, 0};
  }
  return stored;
}

void Unwinding::settle(const Process& process, KernelMappings& mappings) {
  mappings.askedNs = monotonicNs();
  mappings.unsettled = false;
  const auto* stored = mappings_.as<unwind_mapping>() + mappings.first;
  const auto all = process.mappings->all();
  for (uint32_t i = 0; i < mappings.count; i++) {
    if (stored[i].table == 0) continue;
    const Mapping& mapping = all[i];
    const bool settled = tables_.settle(stored[i].table, binaries_.buildIdOf(mapping.binary),
                                        [&] { return binaries_.open(mapping, process.pid); });
    if (!settled) mappings.unsettled = true;
  }
}

void Unwinding::give(Process& process, uint64_t image, std::shared_ptr<KernelMappings> mappings) {
  const unwind_process entry{image, mappings->first, mappings->count};
  if (bpf_map_update_elem(processesFd_, &process.pid, &entry, BPF_ANY) != 0) {
    refused_++;
    return;
  }
  if (!process.kernelMappings) processes_++;
  process.image = image;
  process.kernelMappings = std::move(mappings);
}

void Unwinding::take(const KernelMappings& mappings) {
  freed_.push_back({monotonicNs(), mappings.first, mappings.count});
  for (const uint32_t table : mappings.tables) tables_.release(table);
}

void Unwinding::tidy(uint64_t nowNs) {
  while (!freed_.empty() && freed_.front().timeNs + REUSE_AFTER_NS <= nowNs) {
    pool_.give(freed_.front().first, freed_.front().count);
    freed_.pop_front();
  }
  tables_.tidy(nowNs);
}

UnwindingStats Unwinding::stats() const {
  return {tables_.stats(), processes_, pool_.used(), refused_};
}

}  // namespace fleetflame

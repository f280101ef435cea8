// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "binary-table.h"
#include "mapping-list.h"
#include "outbox.h"
#include "perf-record.h"

namespace fleetflame {

class Unwinding;

struct Process {
  uint32_t pid = 0;
  uint32_t parentPid = 0;
  bool kernelThread = false;
  /// False while nothing is known of its address space.
  bool known = false;
  std::string comm;
  std::string executable;
  /// A forked child shares its parent's list until one of the two changes.
  std::shared_ptr<MappingList> mappings = std::make_shared<MappingList>();
  /// When /proc was read last, when that was tried last, and how long to wait before the next time.
  uint64_t readNs = 0;
  uint64_t triedNs = 0;
  uint64_t readPauseNs = 0;
  /// 0 while it runs.
  uint64_t exitNs = 0;
  /// Its mappings as the BPF program has them, and the program image for which they were given.
  std::shared_ptr<KernelMappings> kernelMappings;
  uint64_t image = 0;
  /// An exec that waits for its first mapping, which names the executable.
  std::optional<ProcessEvent> execEvent;
};

/// The processes of this host and their executable mappings at the time up to which records were
/// applied. Reports starts, execs and exits. Used by one thread.
class ProcessTable {
 public:
  /// About 500 bytes each and 32 for a mapping that is not shared. The kernel's default pid limit is
  /// 32,768 on small machines; larger ones rarely have more processes than that (threads do not count).
  static constexpr size_t DEFAULT_MAX_PROCESSES = 32768;

  ProcessTable(BinaryTable& binaries, Outbox& outbox, ForeignFiles& files, size_t maxProcesses)
      : binaries_(binaries), outbox_(outbox), files_(files), maxProcesses_(maxProcesses) {}

  /// Is told of forks, execs and exits; must outlive the table.
  void setUnwinding(Unwinding* unwinding) { unwinding_ = unwinding; }

  /// Reads all of /proc: at start, and after the kernel dropped records. Ends early when `stop`.
  void snapshot(bool existing, const std::atomic<bool>& stop);

  void apply(const ProcessRecord& record);

  /// The process of a sample; one that no record told about is read from /proc. Null when the table
  /// is full.
  Process* ofSample(uint32_t pid, std::string_view comm, bool kernelThread);

  /// What is known of a process; null for nothing.
  const Process* peek(uint32_t pid) const;

  /// Reads /proc again because the process runs code at an address that no mapping covers. Not often:
  /// false when it is too early since the last time, or the process is gone.
  bool repair(Process& process);

  /// Forgets processes that ended a while ago, and reports events that waited for a mapping.
  void tidy(uint64_t nowNs);

  size_t size() const { return processes_.size(); }
  size_t countMappings() const;
  uint64_t refusedProcesses() const { return refusedProcesses_; }
  uint64_t refusedMappings() const { return refusedMappings_; }
  uint64_t lostEvents() const { return lostEvents_; }
  uint64_t reads() const { return reads_; }

 private:
  struct Exit {
    uint64_t timeNs;
    uint32_t pid;
  };

  Process* find(uint32_t pid);
  Process* create(uint32_t pid);
  /// Makes a process from what /proc says of it.
  Process* discover(uint32_t pid, std::string_view comm, bool existing);
  bool read(Process& process);
  void sweep(uint64_t nowNs);

  void applyMap(const ProcessRecord& record);
  void applyExec(const ProcessRecord& record);
  void applyFork(const ProcessRecord& record);
  void applyExit(const ProcessRecord& record);

  void addMapping(MappingList& list, MappedFile mapped, std::string* executable);
  MappingList& writable(Process& process);
  void report(ProcessEvent event);
  void reportStart(const Process& process, uint64_t timeNs, bool existing);
  void reportExec(Process& process);
  void queueExit(Process& process, uint64_t timeNs);
  void forget(Process& process);

  BinaryTable& binaries_;
  Outbox& outbox_;
  ForeignFiles& files_;
  const size_t maxProcesses_;
  Unwinding* unwinding_ = nullptr;
  std::unordered_map<uint32_t, Process> processes_;
  std::deque<Exit> exits_;
  std::deque<uint32_t> execs_;
  uint64_t refusedProcesses_ = 0;
  uint64_t refusedMappings_ = 0;
  uint64_t lostEvents_ = 0;
  uint64_t reads_ = 0;
  uint64_t sweptNs_ = 0;
};

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "binary-table.h"
#include "bpf-program.h"
#include "event-queue.h"
#include "outbox.h"
#include "perf-ring.h"
#include "process-filter.h"
#include "process-table.h"
#include "sample-record.h"
#include "stack-resolver.h"
#include "unwinding.h"

namespace fleetflame {

struct SamplerOptions {
  BpfOptions bpf;
  /// Of unwind tables in the kernel; 0 unwinds by frame pointers only.
  uint64_t tableBytes;
  /// Where tables are kept between runs; "" for nowhere.
  std::string tableCache;
  /// Rows that may wait for take().
  uint32_t maxRows;
  std::vector<FilterRule> filter;
};

/// Fields as in SamplerStats of sampler.ts.
struct SamplerStats {
  uint64_t interrupts = 0;
  uint64_t idle = 0;
  uint64_t outside = 0;
  uint64_t excluded = 0;
  uint64_t samples = 0;
  uint64_t lostRingFull = 0;
  uint64_t lostTableFull = 0;
  uint64_t stackReadFailed = 0;
  uint64_t stackTruncated = 0;
  uint64_t stackKernelTruncated = 0;
  uint64_t stackChainBroken = 0;
  uint64_t stackNoProcess = 0;
  std::array<uint64_t, STACK_ENDS> stackEnds{};
  uint64_t stackFramePointers = 0;
  uint64_t stackTablesPending = 0;
  UnwindingStats unwinding;
  FilterStats filter;
  uint64_t lostProcessRecords = 0;
  uint64_t lostProcessEvents = 0;
  uint64_t refusedProcesses = 0;
  uint64_t refusedMappings = 0;
  uint64_t refusedBinaries = 0;
  uint64_t mapsReads = 0;
  uint64_t cpus = 0;
  uint64_t processes = 0;
  uint64_t mappings = 0;
  uint64_t binaries = 0;
  uint64_t bpfRunTimeNs = 0;
  uint64_t bpfRunCount = 0;
  uint64_t drainCpuNs = 0;
  uint64_t drains = 0;
};

/// Samples this host until it is closed. A thread of its own reads the rings:
///
///   perf rings, one per CPU --> queue, by time --> process table
///   BPF ring of samples    -->                 --> resolve --> outbox --> take()
class Sampler {
 public:
  /// Throws SamplerError.
  explicit Sampler(const SamplerOptions& options);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// What was gathered since the last time; after close the rest. Throws SamplerError when the
  /// thread had to give up.
  Outgoing take();

  SamplerStats stats();

  /// Replaces the filter while sampling; from the next drain on.
  void setFilter(std::vector<FilterRule> rules);
  /// Kernel memory by what it is for, and this process's own buffers. Looked up now: some ten system calls.
  std::vector<MapMemory> memory();

  std::vector<RefusedTable> refusedTables() const;

  /// Ends sampling and the thread; what is in the rings reaches the outbox. Idempotent.
  void close();

 private:
  void run();
  /// Opens and closes events so that every online CPU is sampled.
  void followCpus();
  void drain(uint64_t untilNs);
  void handleRecord(std::span<const uint8_t> bytes);
  void handleSample(std::span<const uint8_t> bytes, int64_t realtimeOffsetNs);
  void watch(int fd);
  void publish();

  Outbox outbox_;
  /// Of the drain thread and of the one that makes tables.
  ForeignFiles files_;
  BinaryTable binaries_{outbox_, files_};
  ProcessTable processes_;
  EventQueue queue_;
  SampleRecord sample_;
  ResolvedStack stack_;

  Fd epoll_;
  Fd wake_;
  std::unique_ptr<BpfProgram> program_;
  std::shared_ptr<Unwinding> unwinding_;
  std::unique_ptr<ProcessFilter> filter_;
  std::map<int, std::unique_ptr<PerfRing>> rings_;
  uint64_t slowLookNs_ = 0;
  uint64_t snapshotNs_ = 0;
  bool recordsLost_ = false;

  /// Counters of the drain thread, copied for others after each drain.
  SamplerStats counts_;
  std::mutex statsMutex_;
  SamplerStats published_;
  uint64_t queueBytes_ = 0;
  uint64_t perfRingBytes_ = 0;
  std::string failure_;

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace fleetflame

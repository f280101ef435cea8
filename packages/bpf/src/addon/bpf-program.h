// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "../bpf/record.h"
#include "event-queue.h"
#include "map-memory.h"
#include "process-filter.h"
#include "unwinding.h"

struct ring_buffer;
struct sampler_bpf;

namespace fleetflame {

struct BpfOptions {
  uint32_t frequencyHz;
  /// False forces the loop that kernels before 5.17 need.
  bool bpfLoop;
  /// Of the ring of samples; a power of two of whole pages. 0 chooses by expected bytes.
  uint32_t ringBytes;
  /// Processes, and mappings of all of them, that the kernel knows at a time.
  uint32_t maxProcesses;
  uint32_t maxMappings;
};

struct BpfRunStats {
  uint64_t timeNs = 0;
  uint64_t count = 0;
};

/// Bytes of the ring of samples for so many CPUs.
uint32_t sampleRingBytes(uint32_t frequencyHz, size_t cpus);

/// Opens the event that interrupts a CPU `frequencyHz` times a second. The descriptor or -errno.
int openClockEvent(int cpu, uint32_t frequencyHz);

/// The loaded BPF program, the CPUs it runs on, and its ring.
class BpfProgram {
 public:
  /// Throws SamplerError with what the kernel or the verifier said.
  explicit BpfProgram(const BpfOptions& options);
  ~BpfProgram();
  BpfProgram(const BpfProgram&) = delete;
  BpfProgram& operator=(const BpfProgram&) = delete;

  /// False when the CPU is not online. Throws SamplerError.
  bool attach(int cpu);
  void detach(int cpu);
  void detachAll();

  /// Moves what is in the ring to the queue.
  void drain(EventQueue& queue);

  int ringFd() const;
  UnwindMaps unwindMaps() const;
  FilterMaps filterMaps() const;
  sample_counters counters() const;
  BpfRunStats runStats() const;
  /// Kernel memory of its maps, now.
  std::vector<MapMemory> maps() const;

 private:
  struct Link;

  const uint32_t frequencyHz_;
  sampler_bpf* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  EventQueue* target_ = nullptr;
  std::map<int, std::unique_ptr<Link>> links_;
};

}  // namespace fleetflame

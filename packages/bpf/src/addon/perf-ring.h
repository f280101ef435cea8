// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "event-queue.h"
#include "file.h"

namespace fleetflame {

/// Bytes of the perf ring of each of `cpus` CPUs.
size_t perfRingBytes(size_t cpus);

/// The process records (mmap, exec, fork, exit) of one CPU, as the kernel writes them.
class PerfRing {
 public:
  /// Throws SamplerError. A CPU that is not online gives an invalid ring, see valid().
  PerfRing(int cpu, size_t bytes);
  ~PerfRing();
  PerfRing(const PerfRing&) = delete;
  PerfRing& operator=(const PerfRing&) = delete;

  bool valid() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  /// Moves what is there to the queue. False when the ring held something that is not a record;
  /// its content is dropped then.
  bool drain(EventQueue& queue);

 private:
  Fd fd_;
  uint8_t* pages_ = nullptr;
  size_t mappedBytes_ = 0;
  size_t dataBytes_ = 0;
};

/// Opens the event of such a ring: a dummy that counts nothing and reports processes. Returns the
/// descriptor or -errno. `buildIds` false for kernels before 5.12.
int openProcessEvents(int cpu, size_t wakeupBytes, bool buildIds);

}  // namespace fleetflame

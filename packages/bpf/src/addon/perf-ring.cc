// SPDX-License-Identifier: Apache-2.0
#include "perf-ring.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <ctime>

#include "error.h"

namespace fleetflame {
namespace {

/// All rings together. A process start is about 1 kB of records, so this holds some 16,000 of them
/// between two looks, and the thread is woken at half of it.
constexpr size_t TOTAL_BYTES = 16 << 20;
constexpr size_t MIN_BYTES = 64 << 10;
/// With its header page this is kernel.perf_event_mlock_kb's default, what an unprivileged user may lock per CPU.
constexpr size_t MAX_BYTES = 512 << 10;

}  // namespace

size_t perfRingBytes(size_t cpus) {
  return std::clamp(std::bit_floor(TOTAL_BYTES / std::max<size_t>(cpus, 1)), MIN_BYTES, MAX_BYTES);
}

int openProcessEvents(int cpu, size_t wakeupBytes, bool buildIds) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_DUMMY;
  attr.sample_type = PERF_SAMPLE_TIME;
  attr.sample_id_all = 1;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.exclude_kernel = 1;
  attr.mmap = 1;
  attr.mmap2 = 1;
  attr.build_id = buildIds;
  attr.comm = 1;
  attr.comm_exec = 1;
  attr.task = 1;
  attr.watermark = 1;
  attr.wakeup_watermark = static_cast<uint32_t>(wakeupBytes);
  const long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

PerfRing::PerfRing(int cpu, size_t bytes) {
  int fd = openProcessEvents(cpu, bytes / 2, true);
  if (fd == -EINVAL) fd = openProcessEvents(cpu, bytes / 2, false);
  if (fd == -ENODEV) return;
  if (fd < 0) {
    const bool denied = fd == -EACCES || fd == -EPERM;
    throw SamplerError(denied ? ERROR_NOT_PERMITTED : ERROR_FAILED,
                       "process events of CPU " + std::to_string(cpu) + " cannot be opened (perf_event_open: " +
                           errnoText(fd) + ")" + (denied ? ": run as root or with CAP_PERFMON" : ""));
  }
  fd_ = Fd(fd);
  const auto pageBytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* pages = mmap(nullptr, pageBytes + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (pages == MAP_FAILED) {
    const int error = errno;
    // The CPU may have gone offline since.
    if (error == ENODEV) {
      fd_ = Fd();
      return;
    }
    throw SamplerError(ERROR_FAILED, "the ring of process events of CPU " + std::to_string(cpu) + ", " +
                                         std::to_string(bytes >> 10) + " KiB, cannot be mapped (" + errnoText(error) +
                                         "): grant CAP_IPC_LOCK or raise kernel.perf_event_mlock_kb");
  }
  pages_ = static_cast<uint8_t*>(pages);
  mappedBytes_ = pageBytes + bytes;
  dataBytes_ = bytes;
}

PerfRing::~PerfRing() {
  if (pages_) munmap(pages_, mappedBytes_);
}

bool PerfRing::drain(EventQueue& queue) {
  if (!pages_) return true;
  auto* control = reinterpret_cast<perf_event_mmap_page*>(pages_);
  const std::span<const uint8_t> data(pages_ + (mappedBytes_ - dataBytes_), dataBytes_);
  const uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
  uint64_t tail = control->data_tail;
  bool sound = head - tail <= dataBytes_;
  while (sound && tail != head && !queue.full()) {
    // Records are multiples of eight bytes, so a header never wraps.
    const size_t at = tail & (dataBytes_ - 1);
    perf_event_header header{};
    std::memcpy(&header, data.data() + at, sizeof header);
    if (header.size < sizeof header || header.size > head - tail || header.size % 8 != 0) {
      sound = false;
      break;
    }
    const size_t straight = std::min<size_t>(header.size, dataBytes_ - at);
    const auto first = data.subspan(at, straight);
    const auto second = data.first(header.size - straight);
    // The time is the last eight bytes and, being aligned, on one side of the wrap.
    const auto last = second.empty() ? first : second;
    uint64_t timeNs = 0;
    std::memcpy(&timeNs, last.data() + last.size() - sizeof timeNs, sizeof timeNs);
    queue.add(EventQueue::Kind::process, timeNs, first, second);
    tail += header.size;
  }
  __atomic_store_n(&control->data_tail, sound ? tail : head, __ATOMIC_RELEASE);
  return sound;
}

}  // namespace fleetflame

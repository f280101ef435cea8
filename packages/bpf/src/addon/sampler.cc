// SPDX-License-Identifier: Apache-2.0
#include "sampler.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>

#include "clock.h"
#include "cpu-list.h"
#include "error.h"
#include "signals-blocked.h"

namespace fleetflame {
namespace {

/// A look costs about 0.1 ms, whatever it finds; the rings have room for seconds and wake the thread at half.
constexpr int DRAIN_INTERVAL_MS = 500;
/// A record carries the time at which it was begun, and appears in its ring a little later. Newer
/// ones than this wait for the next drain, so that all rings have shown theirs.
constexpr uint64_t SETTLE_NS = 50'000'000;
constexpr int SETTLE_WAIT_MS = 60;
/// Looks at what changes slowly: the CPUs that are online, the sizes of large tables.
constexpr uint64_t SLOW_LOOK_NS = 5 * NS_PER_SECOND;
/// After lost records all of /proc is read again, but not more often than this.
constexpr uint64_t SNAPSHOT_PAUSE_NS = 30 * NS_PER_SECOND;
constexpr uint64_t END_OF_TIME = UINT64_MAX;

uint64_t threadCpuNs() { return static_cast<uint64_t>(readClock(CLOCK_THREAD_CPUTIME_ID)); }

int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

Sampler::Sampler(const SamplerOptions& options)
    : outbox_(options.maxRows),
      processes_(binaries_, outbox_, files_, options.bpf.maxProcesses),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      program_(std::make_unique<BpfProgram>(options.bpf)) {
  if (!epoll_ || !wake_) throw SamplerError(ERROR_FAILED, "no descriptors left (" + errnoText(errno) + ")");
  filter_ = std::make_unique<ProcessFilter>(program_->filterMaps(), options.filter);
  if (options.tableBytes != 0) {
    unwinding_ = std::make_shared<Unwinding>(program_->unwindMaps(), binaries_, options.tableBytes, options.tableCache);
    processes_.setUnwinding(unwinding_.get());
  }
  watch(wake_.get());
  watch(program_->ringFd());
  // Process records flow from here on; the thread reads /proc after that, so nothing falls between.
  followCpus();
  if (rings_.empty()) throw SamplerError(ERROR_FAILED, "no CPU could be opened for sampling");
  publish();
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

Sampler::~Sampler() { close(); }

void Sampler::watch(int fd) {
  epoll_event event{};
  // Edge-triggered: a ring that holds data below its watermark is readable, but no reason to wake.
  event.events = EPOLLIN | EPOLLET;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw SamplerError(ERROR_FAILED, "a ring cannot be watched (epoll_ctl: " + errnoText(errno) + ")");
  }
}

void Sampler::followCpus() {
  const std::set<int> online = onlineCpus();
  if (online.empty()) return;
  for (auto at = rings_.begin(); at != rings_.end();) {
    if (online.contains(at->first)) {
      ++at;
      continue;
    }
    // The events of a CPU that went away never come back to life.
    program_->detach(at->first);
    at->second->drain(queue_);
    at = rings_.erase(at);
  }
  const size_t bytes = perfRingBytes(online.size());
  for (const int cpu : online) {
    if (rings_.contains(cpu)) continue;
    auto ring = std::make_unique<PerfRing>(cpu, bytes);
    if (!ring->valid()) continue;
    watch(ring->fd());
    if (program_->attach(cpu)) rings_.emplace(cpu, std::move(ring));
  }
}

void Sampler::run() {
  pthread_setname_np(pthread_self(), "fleetflame-bpf");
  // At the usual priority: it needs a thousandth of a CPU, and where all CPUs are wanted many times over a
  // lower one gets less than that.
  try {
    snapshotNs_ = monotonicNs();
    processes_.snapshot(true, stop_);
    slowLookNs_ = monotonicNs();
    counts_.mappings = processes_.countMappings();
    std::array<epoll_event, 16> events{};
    int waitMs = DRAIN_INTERVAL_MS;
    while (!stop_.load()) {
      const int woken = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), waitMs);
      // What woke it is too young to be replayed yet.
      waitMs = woken > 0 ? SETTLE_WAIT_MS : DRAIN_INTERVAL_MS;
      const uint64_t nowNs = monotonicNs();
      drain(nowNs - SETTLE_NS);
      if (recordsLost_ && nowNs - snapshotNs_ >= SNAPSHOT_PAUSE_NS) {
        recordsLost_ = false;
        snapshotNs_ = nowNs;
        processes_.snapshot(false, stop_);
      }
      if (nowNs - slowLookNs_ >= SLOW_LOOK_NS) {
        slowLookNs_ = nowNs;
        try {
          followCpus();
        } catch (const SamplerError&) {
          // The others go on; `cpus` tells, and the next look tries again.
        }
        counts_.mappings = processes_.countMappings();
      }
      publish();
    }
    program_->detachAll();
    drain(END_OF_TIME);
    publish();
  } catch (const std::exception& error) {
    program_->detachAll();
    const std::lock_guard lock(statsMutex_);
    failure_ = error.what();
  }
}

void Sampler::drain(uint64_t untilNs) {
  for (auto& [cpu, ring] : rings_) {
    if (!ring->drain(queue_)) {
      counts_.lostProcessRecords++;
      recordsLost_ = true;
    }
  }
  program_->drain(queue_);
  const int64_t offsetNs = realtimeOffsetNs();
  queue_.replay(untilNs, [&](EventQueue::Kind kind, std::span<const uint8_t> bytes) {
    if (kind == EventQueue::Kind::process) {
      handleRecord(bytes);
    } else {
      handleSample(bytes, offsetNs);
    }
  });
  processes_.tidy(monotonicNs());
  filter_->tidy(monotonicNs(), processes_);
  if (unwinding_) unwinding_->tidy(monotonicNs());
  counts_.drains++;
}

void Sampler::handleRecord(std::span<const uint8_t> bytes) {
  ProcessRecord record;
  if (!parsePerfRecord(bytes, record)) return;
  if (record.kind == ProcessRecord::Kind::lost) {
    counts_.lostProcessRecords += record.lost;
    recordsLost_ = true;
  } else {
    processes_.apply(record);
  }
}

void Sampler::handleSample(std::span<const uint8_t> bytes, int64_t offsetNs) {
  if (!SampleRecord::parse(bytes, sample_)) {
    // Not written by our program: it cannot happen, and then the sums shall still agree.
    counts_.lostRingFull++;
    return;
  }
  Process* process =
      processes_.ofSample(sample_.pid(), sample_.comm(), (sample_.flags() & SAMPLE_KERNEL_THREAD) != 0);
  if (process && filter_->excludes(*process, sample_.image(), sample_.cgroupId(), monotonicNs(), processes_)) {
    counts_.excluded++;
    return;
  }
  resolveStack(sample_, process, processes_, stack_);
  if (unwinding_ && process) unwinding_->follow(*process, sample_.image());
  const int64_t unixNs = static_cast<int64_t>(sample_.timeNs()) + offsetNs;
  const SampleKey key{sample_.pid(), sample_.comm(), floorDivide(unixNs, NS_PER_SECOND), stack_.flags,
                      static_cast<uint8_t>(stack_.end)};
  if (!outbox_.addSample(key, stack_.frames)) {
    counts_.lostTableFull++;
    return;
  }
  counts_.samples++;
  if (stack_.flags & STACK_READ_FAILED) counts_.stackReadFailed++;
  if (stack_.flags & STACK_TRUNCATED) counts_.stackTruncated++;
  if (stack_.flags & STACK_KERNEL_TRUNCATED) counts_.stackKernelTruncated++;
  if (stack_.flags & STACK_CHAIN_BROKEN) counts_.stackChainBroken++;
  if (stack_.flags & STACK_NO_PROCESS) counts_.stackNoProcess++;
  counts_.stackEnds[stack_.end]++;
  if (stack_.flags & STACK_FRAME_POINTERS) counts_.stackFramePointers++;
  if (stack_.flags & STACK_TABLES_PENDING) counts_.stackTablesPending++;
}

void Sampler::publish() {
  SamplerStats now = counts_;
  now.lostProcessEvents = processes_.lostEvents();
  now.refusedProcesses = processes_.refusedProcesses();
  now.refusedMappings = processes_.refusedMappings();
  now.refusedBinaries = binaries_.refused();
  now.mapsReads = processes_.reads();
  now.cpus = rings_.size();
  now.processes = processes_.size();
  now.binaries = binaries_.size();
  if (unwinding_) now.unwinding = unwinding_->stats();
  now.filter = filter_->stats();
  if (counts_.drains > 0) now.drainCpuNs = threadCpuNs();
  const std::lock_guard lock(statsMutex_);
  published_ = now;
  queueBytes_ = queue_.memoryBytes();
  perfRingBytes_ = rings_.size() * perfRingBytes(rings_.size());
}

std::vector<MapMemory> Sampler::memory() {
  if (!program_) return {};
  std::vector<MapMemory> all = program_->maps();
  const std::lock_guard lock(statsMutex_);
  all.push_back({"unwind_tables", published_.unwinding.tables.tableBytes});
  all.push_back({"perf_rings", perfRingBytes_});
  all.push_back({"queue", queueBytes_});
  all.push_back({"rows", outbox_.memoryBytes()});
  return all;
}

std::vector<RefusedTable> Sampler::refusedTables() const {
  return unwinding_ ? unwinding_->refusedTables() : std::vector<RefusedTable>();
}

Outgoing Sampler::take() {
  {
    const std::lock_guard lock(statsMutex_);
    if (!failure_.empty()) throw SamplerError(ERROR_FAILED, "sampling ended: " + failure_);
  }
  return outbox_.take();
}

SamplerStats Sampler::stats() {
  SamplerStats now;
  {
    const std::lock_guard lock(statsMutex_);
    now = published_;
  }
  if (!program_) return now;
  const sample_counters counters = program_->counters();
  const BpfRunStats run = program_->runStats();
  now.interrupts = counters.interrupts;
  now.idle = counters.idle;
  now.outside = counters.outside;
  now.excluded += counters.excluded;
  now.lostRingFull += counters.ring_full;
  now.bpfRunTimeNs = run.timeNs;
  now.bpfRunCount = run.count;
  return now;
}

void Sampler::setFilter(std::vector<FilterRule> rules) {
  if (filter_) filter_->setRules(std::move(rules));
}

void Sampler::close() {
  if (!program_) return;
  stop_.store(true);
  const uint64_t one = 1;
  // Should this fail, the thread sees the flag at its next timeout.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  const SamplerStats last = stats();
  rings_.clear();
  processes_.setUnwinding(nullptr);
  unwinding_.reset();
  filter_.reset();
  files_.dispose();
  program_.reset();
  epoll_ = Fd();
  wake_ = Fd();
  const std::lock_guard lock(statsMutex_);
  published_ = last;
}

}  // namespace fleetflame

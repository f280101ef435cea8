// SPDX-License-Identifier: Apache-2.0
#include "bpf-program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "error.h"
#include "file.h"
#include "signals-blocked.h"
#include "sampler.skel.h"

namespace fleetflame {
namespace {

/// Mean size of a record with both stacks: 284 bytes were measured on a mixed load, plus the ring's header.
constexpr uint64_t EXPECTED_RECORD_BYTES = 300;
/// The drain thread may be kept from running for so long.
constexpr uint64_t RING_SECONDS = 4;
constexpr uint64_t MIN_RING_BYTES = 256 << 10;
constexpr uint64_t MAX_RING_BYTES = 64 << 20;
/// The end of libbpf's and the verifier's words, which holds the reason.
constexpr size_t MAX_LOG_BYTES = 1500;

/// libbpf prints through one function for the whole process.
std::mutex logMutex;
std::string logText;

int keepLog(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  if (length > 0) logText.append(line, std::min<size_t>(static_cast<size_t>(length), sizeof line - 1));
  if (logText.size() > 4 * MAX_LOG_BYTES) logText.erase(0, logText.size() - 2 * MAX_LOG_BYTES);
  return 0;
}

int keepSilent(enum libbpf_print_level, const char*, va_list) { return 0; }

int loadWithLog(sampler_bpf* skeleton, std::string& log) {
  const std::lock_guard lock(logMutex);
  logText.clear();
  libbpf_set_print(keepLog);
  const SignalsBlocked blocked;
  const int error = sampler_bpf__load(skeleton);
  libbpf_set_print(keepSilent);
  log = logText.size() > MAX_LOG_BYTES ? logText.substr(logText.size() - MAX_LOG_BYTES) : logText;
  return error;
}

[[noreturn]] void throwLoadError(int error, const std::string& log) {
  if (error == -EPERM || error == -EACCES) {
    // The verifier says EACCES too, and then it also says why; of a long log the end is kept.
    if (log.find("END PROG LOAD LOG") == std::string::npos) {
      throw SamplerError(ERROR_NOT_PERMITTED,
                         "the kernel does not permit this process to load BPF programs: run as root or with CAP_BPF "
                         "and CAP_PERFMON");
    }
  }
  throw SamplerError(ERROR_UNSUPPORTED, "the kernel refused the BPF program (" + errnoText(error) + "): " + log);
}

/// Ids in /proc are those of the PID namespace that it was mounted for: they have to be ours, or
/// processes would be taken for one another.
void checkProcNamespace() {
  char self[32];
  const ssize_t length = readlink("/proc/self", self, sizeof self);
  const std::string seen(self, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  if (seen == std::to_string(getpid())) return;
  throw SamplerError(ERROR_UNSUPPORTED,
                     "/proc shows another PID namespace than the one this process runs in (it is process " +
                         std::to_string(getpid()) + " and /proc/self is " + (seen.empty() ? "nothing" : seen) +
                         "): mount the namespace's own with \"mount -t proc proc /proc\", or run in the host's "
                         "(docker --pid=host, hostPID: true)");
}

}  // namespace

struct BpfProgram::Link {
  explicit Link(bpf_link* attached) : link(attached) {}
  // Also closes the descriptor of the event.
  ~Link() { bpf_link__destroy(link); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bpf_link* link;
};

uint32_t sampleRingBytes(uint32_t frequencyHz, size_t cpus) {
  const uint64_t expected = uint64_t{frequencyHz} * std::max<size_t>(cpus, 1) * EXPECTED_RECORD_BYTES * RING_SECONDS;
  return static_cast<uint32_t>(std::bit_ceil(std::clamp(expected, MIN_RING_BYTES, MAX_RING_BYTES)));
}

int openClockEvent(int cpu, uint32_t frequencyHz) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.freq = 1;
  attr.sample_freq = frequencyHz;
  const long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

BpfProgram::BpfProgram(const BpfOptions& options) : frequencyHz_(options.frequencyHz) {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    throw SamplerError(ERROR_UNSUPPORTED,
                       "/sys/kernel/btf/vmlinux cannot be read: the kernel needs CONFIG_DEBUG_INFO_BTF, which "
                       "distribution kernels have since about 2020");
  }
  checkProcNamespace();
  libbpf_set_print(keepSilent);
  skeleton_ = sampler_bpf__open();
  if (!skeleton_) throw SamplerError(ERROR_FAILED, "libbpf cannot open the BPF object (" + errnoText(errno) + ")");
  try {
    const auto cpus = static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF)));
    const uint32_t bytes = options.ringBytes != 0 ? options.ringBytes : sampleRingBytes(frequencyHz_, cpus);
    skeleton_->rodata->wakeup_bytes = bytes / 2;
    skeleton_->rodata->use_bpf_loop =
        options.bpfLoop && libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_loop, nullptr) == 1;
    bpf_map__set_max_entries(skeleton_->maps.ring, bytes);
    bpf_map__set_max_entries(skeleton_->maps.processes, options.maxProcesses);
    bpf_map__set_max_entries(skeleton_->maps.excluded, options.maxProcesses);
    bpf_map__set_max_entries(skeleton_->maps.mappings, options.maxMappings);
    std::string log;
    if (const int error = loadWithLog(skeleton_, log); error != 0) throwLoadError(error, log);
    LIBBPF_OPTS(bpf_test_run_opts, asOurselves);
    if (const int error = bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.find_agent_namespace), &asOurselves);
        error != 0) {
      throw SamplerError(ERROR_UNSUPPORTED, "the kernel does not say which PID namespace this is (" + errnoText(error) + ")");
    }
    const auto onRecord = [](void* self, void* data, size_t size) {
      auto* program = static_cast<BpfProgram*>(self);
      const std::span<const uint8_t> record(static_cast<const uint8_t*>(data), size);
      uint64_t timeNs = 0;
      if (record.size() >= SAMPLE_HEADER_BYTES) std::memcpy(&timeNs, record.data(), sizeof timeNs);
      program->target_->add(EventQueue::Kind::sample, timeNs, record);
      // A negative result ends the round; what is left stays in the ring.
      return program->target_->full() ? -ENOBUFS : 0;
    };
    ring_ = ring_buffer__new(ringFd(), onRecord, this, nullptr);
    if (!ring_) throw SamplerError(ERROR_FAILED, "the ring of samples cannot be mapped (" + errnoText(errno) + ")");
  } catch (...) {
    ring_buffer__free(ring_);
    sampler_bpf__destroy(skeleton_);
    throw;
  }
}

BpfProgram::~BpfProgram() {
  detachAll();
  ring_buffer__free(ring_);
  sampler_bpf__destroy(skeleton_);
}

bool BpfProgram::attach(int cpu) {
  const int fd = openClockEvent(cpu, frequencyHz_);
  if (fd == -ENODEV) return false;
  if (fd < 0) {
    const bool denied = fd == -EACCES || fd == -EPERM;
    std::string hint;
    if (denied) hint = ": run as root or with CAP_PERFMON (kernel.perf_event_paranoid applies without it)";
    if (fd == -EINVAL) hint = ": is kernel.perf_event_max_sample_rate lower than " + std::to_string(frequencyHz_) + "?";
    throw SamplerError(denied ? ERROR_NOT_PERMITTED : ERROR_FAILED,
                       "the clock event of CPU " + std::to_string(cpu) + " cannot be opened (perf_event_open: " +
                           errnoText(fd) + ")" + hint);
  }
  bpf_link* link = bpf_program__attach_perf_event(skeleton_->progs.on_sample, fd);
  if (!link) {
    const int error = errno;
    close(fd);
    if (error == ENODEV) return false;
    throw SamplerError(ERROR_FAILED, "the BPF program cannot be attached to the clock event of CPU " +
                                         std::to_string(cpu) + " (" + errnoText(error) + ")");
  }
  links_[cpu] = std::make_unique<Link>(link);
  return true;
}

void BpfProgram::detach(int cpu) { links_.erase(cpu); }

void BpfProgram::detachAll() { links_.clear(); }

void BpfProgram::drain(EventQueue& queue) {
  target_ = &queue;
  if (!queue.full()) ring_buffer__consume(ring_);
  target_ = nullptr;
}

int BpfProgram::ringFd() const { return bpf_map__fd(skeleton_->maps.ring); }

UnwindMaps BpfProgram::unwindMaps() const {
  return {bpf_map__fd(skeleton_->maps.processes), bpf_map__fd(skeleton_->maps.mappings),
          bpf_map__fd(skeleton_->maps.tables), bpf_map__fd(skeleton_->maps.table_infos),
          bpf_map__max_entries(skeleton_->maps.mappings)};
}

FilterMaps BpfProgram::filterMaps() const {
  return {bpf_map__fd(skeleton_->maps.excluded), bpf_map__fd(skeleton_->maps.excluded_cgroups),
          &skeleton_->bss->filter_flags};
}

sample_counters BpfProgram::counters() const {
  sample_counters sum{};
  const uint32_t zero = 0;
  std::vector<sample_counters> perCpu(static_cast<size_t>(std::max(1, libbpf_num_possible_cpus())));
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &zero, perCpu.data()) != 0) return sum;
  for (const sample_counters& cpu : perCpu) {
    sum.interrupts += cpu.interrupts;
    sum.idle += cpu.idle;
    sum.outside += cpu.outside;
    sum.excluded += cpu.excluded;
    sum.ring_full += cpu.ring_full;
  }
  return sum;
}

BpfRunStats BpfProgram::runStats() const {
  bpf_prog_info info{};
  uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(bpf_program__fd(skeleton_->progs.on_sample), &info, &size) != 0) return {};
  return {info.run_time_ns, info.run_cnt};
}

std::vector<MapMemory> BpfProgram::maps() const {
  std::vector<MapMemory> all;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    // Constants and variables of the program: libbpf names them by the program and their section.
    const std::string name = bpf_map__name(map);
    const size_t section = name.find('.');
    all.push_back({section == std::string::npos ? name : name.substr(section + 1), mapMemoryBytes(bpf_map__fd(map))});
  }
  return all;
}

}  // namespace fleetflame

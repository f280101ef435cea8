// SPDX-License-Identifier: Apache-2.0
//
// Records are applied in time order. What /proc shows may already contain what a record of the same
// moment tells: forks, execs and exits that are older than a process's last read are skipped; a
// mapping is put in place again, which does no harm.
//
#include "process-table.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "build-id.h"
#include "clock.h"
#include "proc-text.h"
#include "unwinding.h"

namespace fleetflame {
namespace {

/// How long an ended process is kept: samples and records of its last moments may still be under way.
constexpr uint64_t EXIT_GRACE_NS = 2 * NS_PER_SECOND;
/// How often processes are sought whose exit record was lost. 2 microseconds each.
constexpr uint64_t SWEEP_PAUSE_NS = 60 * NS_PER_SECOND;
/// Pauses between two reads of one process's /proc files double from the first to the last.
constexpr uint64_t FIRST_READ_PAUSE_NS = NS_PER_SECOND;
constexpr uint64_t LAST_READ_PAUSE_NS = 64 * NS_PER_SECOND;
/// About 100,000 lines.
constexpr size_t MAX_MAPS_BYTES = 16 << 20;
constexpr size_t MAX_STAT_BYTES = 4096;

std::string procPath(uint32_t pid, const char* file) { return "/proc/" + std::to_string(pid) + '/' + file; }

enum class MappingKind : uint8_t { file, vdso, anonymous };

/// JIT compilers map code without a file or from a file of memory. A memory file with a build id is
/// a program that was started from memory.
MappingKind kindOf(std::string_view path, bool hasBuildId) {
  if (path == "[vdso]") return MappingKind::vdso;
  if (path.starts_with("/memfd:")) return hasBuildId ? MappingKind::file : MappingKind::anonymous;
  if (path.starts_with("//")) return hasBuildId ? MappingKind::file : MappingKind::anonymous;
  if (path.starts_with("/dev/zero") || path.starts_with("/anon_hugepage") || path.starts_with("/SYSV")) {
    return MappingKind::anonymous;
  }
  return path.starts_with('/') ? MappingKind::file : MappingKind::anonymous;
}

std::string readExecutable(uint32_t pid) {
  char path[PATH_MAX];
  const ssize_t length = readlink(procPath(pid, "exe").c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string();
}

/// More than one thread; the first one may have ended before the others.
bool hasThreads(uint32_t pid) {
  // A directory of tasks has two links besides one per task.
  struct stat info{};
  return stat(procPath(pid, "task").c_str(), &info) == 0 && info.st_nlink > 3;
}

}  // namespace

Process* ProcessTable::find(uint32_t pid) {
  const auto at = processes_.find(pid);
  return at == processes_.end() ? nullptr : &at->second;
}

const Process* ProcessTable::peek(uint32_t pid) const {
  const auto at = processes_.find(pid);
  return at == processes_.end() ? nullptr : &at->second;
}

Process* ProcessTable::create(uint32_t pid) {
  if (processes_.size() >= maxProcesses_) {
    refusedProcesses_++;
    return nullptr;
  }
  Process& process = processes_[pid];
  process.pid = pid;
  return &process;
}

void ProcessTable::snapshot(bool existing, const std::atomic<bool>& stop) {
  DIR* directory = opendir("/proc");
  if (!directory) return;
  while (const dirent* entry = readdir(directory)) {
    uint64_t pid = 0;
    if (stop.load()) break;
    if (!parseNumber(entry->d_name, 10, MAX_PID, pid)) continue;
    Process* process = find(static_cast<uint32_t>(pid));
    if (!process) {
      discover(static_cast<uint32_t>(pid), "", existing);
    } else if (process->exitNs == 0) {
      read(*process);
    }
  }
  closedir(directory);
}

void ProcessTable::sweep(uint64_t nowNs) {
  for (auto& [pid, process] : processes_) {
    if (process.exitNs == 0 && access(procPath(pid, "").c_str(), F_OK) != 0) queueExit(process, nowNs);
  }
}

Process* ProcessTable::discover(uint32_t pid, std::string_view comm, bool existing) {
  Process* process = create(pid);
  if (!process) return nullptr;
  const uint64_t nowNs = monotonicNs();
  process->comm = comm;
  const bool alive = read(*process);
  reportStart(*process, nowNs, existing);
  // No exit record will come for a process that is gone already.
  if (!alive) queueExit(*process, nowNs);
  return process;
}

bool ProcessTable::read(Process& process) {
  reads_++;
  process.readPauseNs = std::clamp(2 * process.readPauseNs, FIRST_READ_PAUSE_NS, LAST_READ_PAUSE_NS);
  // Taken before reading: a record that is older is part of what is read.
  const uint64_t nowNs = monotonicNs();
  process.triedNs = nowNs;
  std::string text;
  StatLine stat;
  if (!readFile(procPath(process.pid, "stat"), MAX_STAT_BYTES, text) || !parseStat(text, stat)) return false;
  process.comm = stat.comm;
  process.parentPid = stat.parentPid;
  process.kernelThread = stat.kernelThread;
  if (stat.kernelThread) {
    process.readNs = nowNs;
    process.known = true;
    return true;
  }
  // Behind a lock that the process may hold while it waits for a file system.
  if (files_.readProc(process.pid, "maps", MAX_MAPS_BYTES, text) != 0 || text.empty()) return false;
  auto list = std::make_shared<MappingList>();
  std::string first;
  MapsLine line;
  for (std::string_view rest = text; nextExecutableLine(rest, line);) {
    addMapping(*list, {process.pid, line.start, line.end, line.fileOffset, line.file, line.path, ""}, &first);
  }
  process.mappings = std::move(list);
  process.readNs = nowNs;
  process.known = true;
  process.executable = readExecutable(process.pid);
  if (process.executable.empty()) process.executable = first;
  return true;
}

bool ProcessTable::repair(Process& process) {
  if (process.exitNs != 0) return false;
  if (process.triedNs != 0 && monotonicNs() - process.triedNs < process.readPauseNs) return false;
  return read(process);
}

Process* ProcessTable::ofSample(uint32_t pid, std::string_view comm, bool kernelThread) {
  if (Process* process = find(pid)) return process;
  Process* process = discover(pid, comm, false);
  if (process && kernelThread) process->kernelThread = true;
  return process;
}

void ProcessTable::apply(const ProcessRecord& record) {
  if (record.pid == 0 || record.pid > MAX_PID) return;
  switch (record.kind) {
    case ProcessRecord::Kind::map:
      return applyMap(record);
    case ProcessRecord::Kind::exec:
      return applyExec(record);
    case ProcessRecord::Kind::fork:
      return applyFork(record);
    case ProcessRecord::Kind::exit:
      return applyExit(record);
    case ProcessRecord::Kind::comm:
      if (Process* process = find(record.pid); process && record.tid == record.pid) process->comm = record.text;
      return;
    case ProcessRecord::Kind::lost:
      return;
  }
}

void ProcessTable::applyMap(const ProcessRecord& record) {
  if (record.length > UINT64_MAX - record.start) return;
  Process* process = find(record.pid);
  if (!process) process = discover(record.pid, "", false);
  if (!process) return;
  std::string first;
  addMapping(writable(*process),
             {process->pid, record.start, record.start + record.length, record.fileOffset, record.file,
              std::string(record.text), toHex(record.buildId)},
             &first);
  if (process->execEvent && !first.empty()) {
    // The kernel maps the program before its interpreter.
    process->executable = first;
    reportExec(*process);
  }
}

void ProcessTable::applyExec(const ProcessRecord& record) {
  Process* process = find(record.pid);
  if (process && process->exitNs != 0 && process->exitNs < record.timeNs) {
    // An exec after the end: the record of the fork between them was lost.
    forget(*process);
    process = nullptr;
  }
  if (!process) {
    process = create(record.pid);
    if (!process) return;
    process->comm = record.text;
    reportStart(*process, record.timeNs, false);
  }
  // What was read later shows the new program already.
  if (process->readNs > record.timeNs) return;
  reportExec(*process);
  if (unwinding_) unwinding_->forget(*process);
  process->comm = record.text;
  process->kernelThread = false;
  process->known = true;
  process->executable.clear();
  process->mappings = std::make_shared<MappingList>();
  process->readPauseNs = 0;
  process->execEvent = ProcessEvent{ProcessEvent::Kind::exec, false, process->pid, process->parentPid, record.timeNs,
                                    process->comm,            ""};
  execs_.push_back(process->pid);
}

void ProcessTable::applyFork(const ProcessRecord& record) {
  // A new thread of the same process.
  if (record.pid == record.parentPid) return;
  if (Process* old = find(record.pid)) {
    if (old->readNs > record.timeNs) return;
    forget(*old);
  }
  Process* parent = find(record.parentPid);
  if (!parent) {
    discover(record.pid, "", false);
    return;
  }
  if (parent->execEvent) reportExec(*parent);
  Process* process = create(record.pid);
  if (!process) return;
  process->parentPid = record.parentPid;
  process->comm = parent->comm;
  process->executable = parent->executable;
  process->kernelThread = parent->kernelThread;
  process->known = parent->known;
  process->mappings = parent->mappings;
  if (unwinding_) unwinding_->inherit(*parent, *process);
  reportStart(*process, record.timeNs, false);
}

void ProcessTable::applyExit(const ProcessRecord& record) {
  if (record.tid != record.pid) return;
  Process* process = find(record.pid);
  // Older than a successful read of a living process: the end of one that had the same pid before.
  if (!process || process->exitNs != 0 || process->readNs > record.timeNs) return;
  queueExit(*process, record.timeNs);
}

void ProcessTable::tidy(uint64_t nowNs) {
  if (nowNs - sweptNs_ >= SWEEP_PAUSE_NS) {
    if (sweptNs_ != 0) sweep(nowNs);
    sweptNs_ = nowNs;
  }
  for (size_t waiting = execs_.size(); waiting > 0; waiting--) {
    const uint32_t pid = execs_.front();
    execs_.pop_front();
    Process* process = find(pid);
    if (!process || !process->execEvent) continue;
    // The mapping may be in the records of the next drain, not later.
    if (nowNs - std::min(nowNs, process->execEvent->timeNs) < NS_PER_SECOND) {
      execs_.push_back(pid);
    } else {
      reportExec(*process);
    }
  }
  while (!exits_.empty() && exits_.front().timeNs + EXIT_GRACE_NS <= nowNs) {
    const Exit exit = exits_.front();
    exits_.pop_front();
    Process* process = find(exit.pid);
    if (!process || process->exitNs != exit.timeNs) continue;
    if (hasThreads(exit.pid)) {
      process->exitNs = nowNs;
      exits_.push_back({nowNs, exit.pid});
    } else {
      forget(*process);
    }
  }
}

void ProcessTable::queueExit(Process& process, uint64_t timeNs) {
  process.exitNs = timeNs;
  exits_.push_back({timeNs, process.pid});
}

void ProcessTable::forget(Process& process) {
  reportExec(process);
  if (unwinding_) unwinding_->forget(process);
  const uint64_t timeNs = process.exitNs != 0 ? process.exitNs : monotonicNs();
  report({ProcessEvent::Kind::exit, false, process.pid, process.parentPid, timeNs, process.comm, process.executable});
  processes_.erase(process.pid);
}

void ProcessTable::addMapping(MappingList& list, MappedFile mapped, std::string* executable) {
  Mapping mapping{mapped.start, mapped.end, mapped.fileOffset, ANONYMOUS_BINARY};
  switch (kindOf(mapped.path, !mapped.buildId.empty())) {
    case MappingKind::file:
      if (executable->empty()) *executable = mapped.path;
      mapping.binary = binaries_.identify(mapped);
      break;
    case MappingKind::vdso:
      mapping.binary = VDSO_BINARY;
      mapping.fileOffset = 0;
      break;
    case MappingKind::anonymous:
      break;
  }
  if (!list.insert(mapping)) refusedMappings_++;
}

MappingList& ProcessTable::writable(Process& process) {
  if (process.mappings.use_count() > 1) process.mappings = std::make_shared<MappingList>(*process.mappings);
  return *process.mappings;
}

void ProcessTable::report(ProcessEvent event) {
  if (!outbox_.addProcess(std::move(event))) lostEvents_++;
}

void ProcessTable::reportStart(const Process& process, uint64_t timeNs, bool existing) {
  report({ProcessEvent::Kind::start, existing, process.pid, process.parentPid, timeNs, process.comm,
          process.executable});
}

void ProcessTable::reportExec(Process& process) {
  if (!process.execEvent) return;
  process.execEvent->executable = process.executable;
  report(std::move(*process.execEvent));
  process.execEvent.reset();
}

size_t ProcessTable::countMappings() const {
  size_t count = 0;
  for (const auto& [pid, process] : processes_) count += process.mappings->size();
  return count;
}

}  // namespace fleetflame

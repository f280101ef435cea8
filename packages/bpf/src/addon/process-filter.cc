// SPDX-License-Identifier: Apache-2.0
#include "process-filter.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <string_view>

#include "../bpf/filter-maps.h"
#include "clock.h"
#include "file.h"
#include "glob.h"
#include "process-table.h"

namespace fleetflame {
namespace {

/// How long a decision holds: a process may be moved to another cgroup or get another name.
constexpr uint64_t HOLDS_NS = 30 * NS_PER_SECOND;
/// Decisions looked at again in one drain, about 10 microseconds each where rules name cgroups.
constexpr size_t MAX_LOOKS = 64;
constexpr size_t MAX_CGROUP_BYTES = 64 << 10;
constexpr std::string_view DELETED = " (deleted)";

std::string_view withoutDeleted(std::string_view path) {
  return path.ends_with(DELETED) ? path.substr(0, path.size() - DELETED.size()) : path;
}

}  // namespace

/// The paths of a process in all hierarchies, read when they are asked for the first time: lines
/// "ID:CONTROLLERS:PATH", and "0::PATH" for version 2.
class ProcessFilter::Cgroups {
 public:
  explicit Cgroups(uint32_t pid) : pid_(pid) {}

  bool covers(std::string_view pattern) {
    read();
    return std::any_of(paths_.begin(), paths_.end(), [&](const std::string& path) { return globCovers(pattern, path); });
  }

  /// Would the pattern cover every process with this one's cgroup id?
  bool coversId(std::string_view pattern) {
    read();
    return hasId() && globCovers(pattern, unified_);
  }

  /// Does the cgroup id say all of where the process is?
  bool isById() {
    read();
    return hasId() && paths_.size() == 1;
  }

 private:
  /// The root has an id too, but on hosts with version 1 everything is in it.
  bool hasId() const { return !unified_.empty() && unified_ != "/"; }

  void read() {
    std::string text;
    if (done_) return;
    done_ = true;
    if (!readFile("/proc/" + std::to_string(pid_) + "/cgroup", MAX_CGROUP_BYTES, text)) return;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, end - at);
      const size_t first = line.find(':');
      const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
      if (second != std::string_view::npos) {
        paths_.emplace_back(line.substr(second + 1));
        if (line.starts_with("0::")) unified_ = paths_.back();
      }
      at = end + 1;
    }
  }

  const uint32_t pid_;
  bool done_ = false;
  std::vector<std::string> paths_;
  std::string unified_;
};

ProcessFilter::ProcessFilter(const FilterMaps& maps, std::vector<FilterRule> rules)
    : maps_(maps) {
  setRulesNow(std::move(rules));
}

void ProcessFilter::setRulesNow(std::vector<FilterRule> rules) {
  rules_ = std::move(rules);
  byImage_ = std::all_of(rules_.begin(), rules_.end(),
                         [](const FilterRule& rule) { return rule.kind == FilterRule::Kind::exe; });
}

void ProcessFilter::setRules(std::vector<FilterRule> rules) {
  const std::lock_guard lock(mutex_);
  next_ = std::move(rules);
  hasNext_.store(true);
}

void ProcessFilter::takeRules() {
  if (!hasNext_.load()) return;
  {
    const std::lock_guard lock(mutex_);
    setRulesNow(std::move(next_));
    next_.clear();
    hasNext_.store(false);
  }
  for (auto& [pid, decision] : decisions_) forget(pid, decision);
  decisions_.clear();
  forgetCgroups();
  due_.clear();
}

void ProcessFilter::tidy(uint64_t nowNs, const ProcessTable& processes) {
  takeRules();
  for (size_t looks = 0; looks < MAX_LOOKS && !due_.empty() && due_.front().timeNs <= nowNs; looks++) {
    const uint32_t pid = due_.front().pid;
    due_.pop_front();
    const auto at = decisions_.find(pid);
    if (at == decisions_.end()) continue;
    const Process* process = processes.peek(pid);
    if (!process || process->exitNs != 0) {
      forget(pid, at->second);
      decisions_.erase(at);
      continue;
    }
    due_.push_back({nowNs + HOLDS_NS, pid});
    // An image that is being replaced is decided with its next sample.
    const bool excluded = process->execEvent ? at->second.excluded : decide(*process).excluded;
    at->second.comm = process->comm;
    if (excluded == at->second.excluded) continue;
    at->second.excluded = excluded;
    if (excluded) {
      tell(pid, at->second);
    } else {
      forget(pid, at->second);
    }
  }
}

bool ProcessFilter::excludes(const Process& process, uint64_t image, uint64_t cgroupId, uint64_t nowNs,
                             const ProcessTable& processes) {
  if (rules_.empty()) return false;
  if (cgroups_.contains(cgroupId)) return true;
  const auto at = decisions_.find(process.pid);
  if (at != decisions_.end()) {
    const Decision& known = at->second;
    if (known.image == image && known.cgroupId == cgroupId && known.comm == process.comm) return known.excluded;
    forget(process.pid, at->second);
  }
  // Before the first mapping after an exec the path is not known.
  if (!process.known || process.execEvent) return false;
  const Verdict verdict = decide(process);
  if (verdict.wholeCgroup) {
    tellCgroup(cgroupId);
    return true;
  }
  keep(process.pid, {image, cgroupId, process.comm, verdict.excluded, false}, nowNs);
  if (verdict.excluded && byImage_) {
    // A parent that only waits for its children may never be sampled itself.
    const Process* parent = processes.peek(process.parentPid);
    const bool isSame = parent && parent->exitNs == 0 && parent->mappings == process.mappings;
    if (isSame && !decisions_.contains(parent->pid)) {
      keep(parent->pid, {image, cgroupId, parent->comm, true, false}, nowNs);
    }
  }
  return verdict.excluded;
}

void ProcessFilter::keep(uint32_t pid, Decision decision, uint64_t nowNs) {
  const bool isNew = !decisions_.contains(pid);
  if (isNew && decisions_.size() >= MAX_DECISIONS) {
    refused_++;
    return;
  }
  if (decision.excluded) tell(pid, decision);
  if (isNew) due_.push_back({nowNs + HOLDS_NS, pid});
  decisions_.insert_or_assign(pid, std::move(decision));
}

ProcessFilter::Verdict ProcessFilter::decide(const Process& process) const {
  Cgroups cgroups(process.pid);
  bool isWanted = std::none_of(rules_.begin(), rules_.end(), [](const FilterRule& rule) { return rule.only; });
  bool byCgroup = true;
  for (const FilterRule& rule : rules_) {
    if (rule.only) {
      byCgroup = byCgroup && rule.kind == FilterRule::Kind::cgroup;
      isWanted = isWanted || matches(rule, process, cgroups);
    } else if (matches(rule, process, cgroups)) {
      return {true, rule.kind == FilterRule::Kind::cgroup && cgroups.coversId(rule.pattern)};
    }
  }
  return {!isWanted, !isWanted && byCgroup && cgroups.isById()};
}

bool ProcessFilter::matches(const FilterRule& rule, const Process& process, Cgroups& cgroups) {
  switch (rule.kind) {
    case FilterRule::Kind::exe:
      return !process.kernelThread && globMatches(rule.pattern, withoutDeleted(process.executable));
    case FilterRule::Kind::comm:
      return globMatches(rule.pattern, process.comm, '\0');
    case FilterRule::Kind::pid:
      return rule.pattern == std::to_string(process.pid);
    case FilterRule::Kind::cgroup:
      return cgroups.covers(rule.pattern);
  }
  return false;
}

void ProcessFilter::tell(uint32_t pid, Decision& decision) {
  const excluded_process entry{decision.image, decision.cgroupId};
  if (bpf_map_update_elem(maps_.processes, &pid, &entry, BPF_ANY) != 0) {
    refused_++;
    return;
  }
  decision.told = true;
  told_++;
  setFlags();
}

void ProcessFilter::forget(uint32_t pid, Decision& decision) {
  if (!decision.told) return;
  bpf_map_delete_elem(maps_.processes, &pid);
  decision.told = false;
  told_--;
  setFlags();
}

void ProcessFilter::tellCgroup(uint64_t cgroupId) {
  const uint8_t value = 0;
  if (cgroups_.size() >= MAX_EXCLUDED_CGROUPS) forgetCgroups();
  if (bpf_map_update_elem(maps_.cgroups, &cgroupId, &value, BPF_ANY) != 0) {
    refused_++;
    return;
  }
  cgroups_.insert(cgroupId);
  setFlags();
}

void ProcessFilter::forgetCgroups() {
  for (const uint64_t cgroupId : cgroups_) bpf_map_delete_elem(maps_.cgroups, &cgroupId);
  cgroups_.clear();
  setFlags();
}

void ProcessFilter::setFlags() {
  *maps_.flags = (told_ != 0 ? FILTER_PROCESSES : 0) | (byImage_ ? FILTER_INHERITS : 0) |
                 (cgroups_.empty() ? 0 : FILTER_CGROUPS);
}

}  // namespace fleetflame

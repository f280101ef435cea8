// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace fleetflame {

class ProcessTable;
struct Process;

/// One line of a filter; see filter-rule.ts.
struct FilterRule {
  enum class Kind : uint8_t { exe, comm, cgroup, pid };

  /// Otherwise the rule says what to leave out.
  bool only;
  Kind kind;
  /// A glob; for `pid` a number.
  std::string pattern;
};

/// Descriptors of the maps in bpf/filter.h, and its flags.
struct FilterMaps {
  int processes;
  int cgroups;
  volatile uint32_t* flags;
};

struct FilterStats {
  /// What the BPF program leaves out now: processes, and cgroups as a whole.
  uint64_t processes = 0;
  uint64_t cgroups = 0;
  /// Times that a decision had no room: such a process is left out here, at the price of a sample.
  uint64_t refused = 0;
};

/// Which processes are not profiled. Decided here, once for a program image in a cgroup; the BPF
/// program is told, and skips the process before it does anything else.
///
///   sample --> decided? --no--> rules, path, name, /proc/PID/cgroup --> excluded --> kernel maps
///
/// A process that nothing is known of is profiled. An exec makes another image, and a change of cgroup
/// (version 2) another cgroup id: both are decided anew, with their first sample. Used by the drain
/// thread, but for setRules().
class ProcessFilter {
 public:
  /// Of decisions at a time, the limit of the process table.
  static constexpr size_t MAX_DECISIONS = 32768;

  ProcessFilter(const FilterMaps& maps, std::vector<FilterRule> rules);

  /// From any thread; takes effect at the next drain.
  void setRules(std::vector<FilterRule> rules);

  /// Takes up new rules, and looks at old decisions again: names and cgroups change.
  void tidy(uint64_t nowNs, const ProcessTable& processes);

  /// Is a sample of the process, in this image and cgroup, to be dropped?
  bool excludes(const Process& process, uint64_t image, uint64_t cgroupId, uint64_t nowNs, const ProcessTable& processes);

  FilterStats stats() const { return {told_, cgroups_.size(), refused_}; }

 private:
  struct Decision {
    uint64_t image;
    uint64_t cgroupId;
    std::string comm;
    bool excluded;
    /// The BPF program has it.
    bool told;
  };
  struct Due {
    uint64_t timeNs;
    uint32_t pid;
  };

  struct Verdict {
    bool excluded;
    /// For its cgroup, whatever the process: all others in it are left out as well.
    bool wholeCgroup;
  };
  class Cgroups;

  Verdict decide(const Process& process) const;
  void keep(uint32_t pid, Decision decision, uint64_t nowNs);
  static bool matches(const FilterRule& rule, const Process& process, Cgroups& cgroups);
  void tell(uint32_t pid, Decision& decision);
  void forget(uint32_t pid, Decision& decision);
  void tellCgroup(uint64_t cgroupId);
  void forgetCgroups();
  void takeRules();
  void setRulesNow(std::vector<FilterRule> rules);
  void setFlags();

  const FilterMaps maps_;
  std::vector<FilterRule> rules_;
  /// All rules are about programs, so that forked children are what their parents are.
  bool byImage_ = false;
  std::unordered_map<uint32_t, Decision> decisions_;
  std::unordered_set<uint64_t> cgroups_;
  std::deque<Due> due_;
  uint64_t told_ = 0;
  uint64_t refused_ = 0;

  std::mutex mutex_;
  std::atomic<bool> hasNext_{false};
  std::vector<FilterRule> next_;
};

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#include "silence.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "../addon/clock.h"
#include "protocol.h"

namespace fleetflame {
namespace {

/// A file system that hangs now and then costs a deadline each time: it is left alone for longer and longer.
constexpr uint64_t FIRST_PAUSE_NS = 5 * NS_PER_SECOND;
constexpr uint64_t LAST_PAUSE_NS = 600 * NS_PER_SECOND;
/// So long may it keep us waiting in a minute: threads that sample wait, too.
constexpr uint64_t MAX_DEBT_NS = 2 * NS_PER_SECOND;
constexpr uint64_t DEBT_WINDOW_NS = 60 * NS_PER_SECOND;
/// Kept to know its pause; those that have answered are forgotten first.
constexpr size_t MAX_ENTRIES = 1024;

}  // namespace

Silence& Silence::get() {
  static Silence silence;
  return silence;
}

void Silence::reap(uint64_t nowNs) {
  for (auto& [who, entry] : entries_) {
    if (entry.helper == 0) continue;
    const pid_t ended = waitpid(entry.helper, nullptr, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) continue;
    entry.helper = 0;
    entry.untilNs = nowNs + entry.pauseNs;
  }
}

bool Silence::isSilent(const Silent& who, uint64_t nowNs) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(who);
  if (at == entries_.end()) return false;
  reap(nowNs);
  return at->second.helper != 0 || nowNs < at->second.untilNs;
}

bool Silence::isFull() { return hung() >= MAX_HUNG; }

size_t Silence::hung() {
  const std::lock_guard lock(mutex_);
  if (entries_.empty()) return 0;
  reap(monotonicNs());
  return static_cast<size_t>(
      std::ranges::count_if(entries_, [](const auto& entry) { return entry.second.helper != 0; }));
}

void Silence::add(const Silent& who, pid_t helper, uint64_t nowNs) {
  const std::lock_guard lock(mutex_);
  addLocked(who, helper, nowNs);
}

void Silence::late(const Silent& who, uint64_t waitedNs, uint64_t nowNs) {
  const std::lock_guard lock(mutex_);
  if (debts_.size() >= MAX_ENTRIES) debts_.clear();
  Debt& debt = debts_.try_emplace(who, Debt{0, nowNs}).first->second;
  if (nowNs - debt.sinceNs > DEBT_WINDOW_NS) debt = {0, nowNs};
  debt.waitedNs += waitedNs;
  if (debt.waitedNs < MAX_DEBT_NS) return;
  debts_.erase(who);
  addLocked(who, 0, nowNs);
}

void Silence::addLocked(const Silent& who, pid_t helper, uint64_t nowNs) {
  if (entries_.size() >= MAX_ENTRIES) std::erase_if(entries_, [](const auto& entry) { return entry.second.helper == 0; });
  const auto known = entries_.find(who);
  if (known == entries_.end()) {
    entries_.emplace(who, Entry{helper, nowNs + FIRST_PAUSE_NS, FIRST_PAUSE_NS});
    return;
  }
  Entry& entry = known->second;
  entry.pauseNs = std::min(2 * entry.pauseNs, LAST_PAUSE_NS);
  entry.untilNs = nowNs + entry.pauseNs;
  // Two threads may have met the same silence at once: the other helper is counted under a name of its own.
  if (helper == 0) return;
  if (entry.helper != 0) {
    entries_.emplace(Silent{Silent::process, static_cast<uint64_t>(helper), 1}, Entry{helper, nowNs, FIRST_PAUSE_NS});
  } else {
    entry.helper = helper;
  }
}

void Silence::end(const Silent& who) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(who);
  if (at == entries_.end() || at->second.helper != 0) return;
  // Who answers now and then does not begin with the shortest pause each time.
  if (monotonicNs() > at->second.untilNs + LAST_PAUSE_NS) entries_.erase(at);
}

std::vector<uint64_t> Silence::devices(uint64_t nowNs) {
  std::vector<uint64_t> all;
  const std::lock_guard lock(mutex_);
  if (entries_.empty()) return all;
  reap(nowNs);
  for (const auto& [who, entry] : entries_) {
    if (who.kind != Silent::device || (entry.helper == 0 && nowNs >= entry.untilNs)) continue;
    if (all.size() < foreign::MAX_SILENT_DEVICES) all.push_back(who.a);
  }
  return all;
}

bool Silence::hasWalks() {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(entries_, [](const auto& entry) { return entry.first.kind == Silent::walk; });
}

}  // namespace fleetflame

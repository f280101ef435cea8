// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

namespace fleetflame {

/// Who did not answer.
struct Silent {
  enum Kind : uint32_t {
    /// A file system, by its device.
    device,
    /// Somewhere behind a mount, seen by processes of one mount namespace (a) and user (b).
    walk,
    /// A process, whose memory or locks were asked for, by its pid.
    process,
  };
  Kind kind;
  uint64_t a;
  uint64_t b;

  auto operator<=>(const Silent&) const = default;
};

/// Who did not answer, and the helpers that still wait for them: one for each, so that no number of files on one
/// silent file system takes more than one. Asked again when its helper has come back, after a pause that grows.
class Silence {
 public:
  /// Helpers that wait. Beyond it nothing foreign is opened until one comes back: each is a process of about 1 MB.
  static constexpr size_t MAX_HUNG = 16;

  static Silence& get();

  bool isSilent(const Silent& who, uint64_t nowNs);
  bool isFull();
  /// `helper` 0: it has answered.
  void add(const Silent& who, pid_t helper, uint64_t nowNs);
  /// It answered, but late. Who does that again and again is left alone for a pause, too.
  void late(const Silent& who, uint64_t waitedNs, uint64_t nowNs);
  /// It answered.
  void end(const Silent& who);
  std::vector<uint64_t> devices(uint64_t nowNs);
  bool hasWalks();
  size_t hung();

 private:
  struct Entry {
    /// 0: it has come back.
    pid_t helper;
    uint64_t untilNs;
    uint64_t pauseNs;
  };

  void reap(uint64_t nowNs);
  void addLocked(const Silent& who, pid_t helper, uint64_t nowNs);

  std::mutex mutex_;
  std::map<Silent, Entry> entries_;
  struct Debt {
    uint64_t waitedNs;
    uint64_t sinceNs;
  };
  std::map<Silent, Debt> debts_;
};

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ctime>

namespace fleetflame {

constexpr int64_t NS_PER_SECOND = 1'000'000'000;

inline int64_t readClock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * NS_PER_SECOND + now.tv_nsec;
}

inline uint64_t monotonicNs() { return static_cast<uint64_t>(readClock(CLOCK_MONOTONIC)); }

/// What has to be added to CLOCK_MONOTONIC to get Unix time, now. It changes when the clock is set.
inline int64_t realtimeOffsetNs() {
  const int64_t before = readClock(CLOCK_MONOTONIC);
  const int64_t real = readClock(CLOCK_REALTIME);
  const int64_t after = readClock(CLOCK_MONOTONIC);
  return real - (before + (after - before) / 2);
}

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace fleetflame::symbols {

struct ProcessLimits {
  /// Address space beyond the mapped files.
  uint64_t memoryBytes;
  uint64_t cpuSeconds;
  /// Sizes of the files that will be mapped.
  uint64_t mappedBytes;
};

/// From here on the process reads what strangers wrote: it runs at low priority, ends with its parent, cannot open
/// files, start processes or reach the network, and leaves no core. Returns whether the kernel filters system calls
/// (limits hold in any case).
bool enterSandbox(const ProcessLimits& limits);

}  // namespace fleetflame::symbols

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace fleetflame {

/// Kernel memory that belongs to this process and shows in none of its own numbers.
struct MapMemory {
  std::string name;
  uint64_t bytes;
};

/// What the kernel says that a map takes ("memlock" in the descriptor's fdinfo): what is in use since Linux
/// 6.4, before that an estimate made from the map's limits. 0 when it does not say.
uint64_t mapMemoryBytes(int fd);

}  // namespace fleetflame

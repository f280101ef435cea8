// SPDX-License-Identifier: Apache-2.0
#include "map-memory.h"

#include <string_view>

#include "file.h"
#include "proc-text.h"

namespace fleetflame {

uint64_t mapMemoryBytes(int fd) {
  constexpr size_t MAX_FDINFO_BYTES = 4096;
  std::string text;
  if (!readFile("/proc/self/fdinfo/" + std::to_string(fd), MAX_FDINFO_BYTES, text)) return 0;
  const std::string_view label = "memlock:";
  const size_t at = text.find(label);
  if (at == std::string::npos) return 0;
  const size_t from = text.find_first_not_of(" \t", at + label.size());
  const size_t to = text.find('\n', at);
  uint64_t bytes = 0;
  if (from == std::string::npos || to == std::string::npos || from >= to) return 0;
  return parseNumber(std::string_view(text).substr(from, to - from), 10, UINT64_MAX, bytes) ? bytes : 0;
}

}  // namespace fleetflame

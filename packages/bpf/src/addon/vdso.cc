// SPDX-License-Identifier: Apache-2.0
#include "vdso.h"

#include <sys/auxv.h>

#include <string>

#include "file.h"
#include "proc-text.h"

namespace fleetflame {

std::span<const uint8_t> vdsoImage() {
  constexpr size_t MAX_MAPS_BYTES = 16 << 20;
  const uint64_t start = getauxval(AT_SYSINFO_EHDR);
  std::string text;
  if (start == 0 || !readFile("/proc/self/maps", MAX_MAPS_BYTES, text)) return {};
  MapsLine line;
  for (std::string_view rest = text; nextExecutableLine(rest, line);) {
    if (line.start == start) return {reinterpret_cast<const uint8_t*>(start), line.end - line.start};
  }
  return {};
}

}  // namespace fleetflame

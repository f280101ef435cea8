// SPDX-License-Identifier: Apache-2.0
#include "file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace fleetflame {

bool readFile(const std::string& path, size_t limit, std::string& out) {
  out.clear();
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  // A read of a /proc file returns a page at most, whatever the buffer.
  constexpr size_t STEP = 64 << 10;
  while (out.size() < limit) {
    const size_t used = out.size();
    const size_t want = std::min(STEP, limit - used);
    out.resize(used + want);
    const ssize_t got = read(fd.get(), out.data() + used, want);
    out.resize(used + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 || used > 0;
  }
  return true;
}

}  // namespace fleetflame

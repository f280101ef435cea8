// SPDX-License-Identifier: Apache-2.0
#include "byte-source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fleetflame::unwind {

FileSource::FileSource(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    size_ = static_cast<uint64_t>(status.st_size);
  }
}

bool FileSource::read(uint64_t offset, void* out, size_t length) {
  if (offset > size_ || length > size_ - offset) return false;
  auto* target = static_cast<uint8_t*>(out);
  while (length > 0) {
    const ssize_t got = pread(fd_, target, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    target += got;
    offset += static_cast<uint64_t>(got);
    length -= static_cast<size_t>(got);
  }
  return true;
}

bool MemorySource::read(uint64_t offset, void* out, size_t length) {
  if (offset > size_ || length > size_ - offset) return false;
  if (length > 0) std::memcpy(out, bytes_ + offset, length);
  return true;
}

}  // namespace fleetflame::unwind

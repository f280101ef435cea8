// SPDX-License-Identifier: Apache-2.0
#include "mapped-memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

namespace fleetflame {

MappedMemory::MappedMemory(int mapFd, size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = (bytes + page - 1) / page * page;
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, mapFd, 0);
  if (memory_ == MAP_FAILED) {
    throw SamplerError(ERROR_FAILED, "a BPF array of " + std::to_string(bytes_ >> 10) + " KiB cannot be mapped (" +
                                         errnoText(errno) + ")");
  }
}

MappedMemory::~MappedMemory() { munmap(memory_, bytes_); }

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace fleetflame {

/// A BPF array that this process writes as memory (BPF_F_MMAPABLE).
class MappedMemory {
 public:
  /// Throws SamplerError.
  MappedMemory(int mapFd, size_t bytes);
  ~MappedMemory();
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_;
  size_t bytes_;
};

}  // namespace fleetflame

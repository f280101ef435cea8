// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fleetflame {

struct KernelMappings;

/// Address spaces of frames; the same numbers are in sampler.ts.
constexpr uint32_t KERNEL_BINARY = 0;
constexpr uint32_t ANONYMOUS_BINARY = 1;
constexpr uint32_t UNMAPPED_BINARY = 2;
constexpr uint32_t VDSO_BINARY = 3;
constexpr uint32_t FIRST_FILE_BINARY = 16;

/// An executable address range [start, end).
struct Mapping {
  uint64_t start;
  uint64_t end;
  uint64_t fileOffset;
  uint32_t binary;
};

/// The executable mappings of an address space, in order and without overlap.
class MappingList {
 public:
  /// vm.max_map_count is 65,530 by default, but only JIT compilers make many executable mappings,
  /// and neighbouring anonymous ones are joined here.
  static constexpr size_t MAX_MAPPINGS = 16384;

  /// Puts a mapping over whatever it overlaps, as mmap does. False when the list is full.
  bool insert(Mapping mapping);

  /// The mapping that covers the address.
  const Mapping* find(uint64_t address) const;

  std::span<const Mapping> all() const { return mappings_; }
  size_t size() const { return mappings_.size(); }

  /// This list as the BPF program has it, if it has it: see Unwinding.
  std::shared_ptr<KernelMappings> kernelMappings;

 private:
  /// Widens an anonymous mapping over the anonymous ones that it touches: JIT compilers change the
  /// protection of their memory piece by piece, and every change is told as a mapping.
  void joinAnonymous(Mapping& mapping) const;

  std::vector<Mapping> mappings_;
};

}  // namespace fleetflame

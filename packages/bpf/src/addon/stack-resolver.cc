// SPDX-License-Identifier: Apache-2.0
#include "stack-resolver.h"

namespace fleetflame {
namespace {

uint8_t flagsOf(const SampleRecord& sample) {
  uint8_t flags = 0;
  if (sample.flags() & SAMPLE_READ_FAILED) flags |= STACK_READ_FAILED;
  if (sample.flags() & SAMPLE_TRUNCATED) flags |= STACK_TRUNCATED;
  if (sample.flags() & SAMPLE_CHAIN_BROKEN) flags |= STACK_CHAIN_BROKEN;
  return flags;
}

/// A call may be the last instruction of its mapping, so a return address is looked up one byte earlier.
const Mapping* covering(const Process& process, uint64_t address, bool isReturn) {
  return process.mappings->find(address - (isReturn ? 1 : 0));
}

Frame frameOf(const Mapping& mapping, uint64_t address, bool isReturn) {
  if (mapping.binary == ANONYMOUS_BINARY || mapping.binary == UNMAPPED_BINARY) {
    return {address, mapping.binary, isReturn};
  }
  return {address - mapping.start + mapping.fileOffset, mapping.binary, isReturn};
}

}  // namespace

void resolveStack(const SampleRecord& sample, Process* process, ProcessTable& processes, ResolvedStack& out) {
  out.frames.clear();
  out.flags = flagsOf(sample);
  bool isReturn = false;
  for (const __u64 address : sample.kernelFrames()) {
    out.frames.push_back({address, KERNEL_BINARY, isReturn});
    isReturn = true;
  }
  const auto user = sample.userFrames();
  if (user.empty()) return;
  isReturn = (sample.flags() & SAMPLE_USER_LEAF_IS_RETURN) != 0;
  // The leaf is where the process really runs: if no mapping has it, then one is missing.
  if (process && !covering(*process, user.front(), isReturn)) processes.repair(*process);
  if (!process || !process->known) out.flags |= STACK_NO_PROCESS;
  for (size_t i = 0; i < user.size(); i++) {
    const uint64_t address = user[i];
    const Mapping* mapping = process ? covering(*process, address, isReturn) : nullptr;
    if (mapping) {
      out.frames.push_back(frameOf(*mapping, address, isReturn));
    } else if (i > 0 && process && process->known) {
      // Not a return address but a number from a register that code without frame pointers uses
      // otherwise. Nothing above it means anything.
      out.flags |= STACK_CHAIN_BROKEN;
      return;
    } else {
      out.frames.push_back({address, UNMAPPED_BINARY, isReturn});
    }
    isReturn = true;
  }
}

}  // namespace fleetflame

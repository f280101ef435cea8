// SPDX-License-Identifier: Apache-2.0
#include "stack-resolver.h"

namespace fleetflame {
namespace {

uint8_t flagsOf(stack_end end) {
  switch (end) {
    case END_NONE:
      return 0;
    case END_COMPLETE:
      return STACK_COMPLETE;
    case END_TRUNCATED:
      return STACK_TRUNCATED;
    case END_READ_FAILED:
      return STACK_READ_FAILED;
    default:
      return STACK_CHAIN_BROKEN;
  }
}

uint8_t flagsOf(const SampleRecord& sample) {
  uint8_t flags = 0;
  if (sample.flags() & SAMPLE_KERNEL_TRUNCATED) flags |= STACK_KERNEL_TRUNCATED;
  if (sample.flags() & SAMPLE_FRAME_POINTERS) flags |= STACK_FRAME_POINTERS;
  if (sample.flags() & SAMPLE_TABLES_PENDING) flags |= STACK_TABLES_PENDING;
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
  out.end = sample.end();
  const auto user = sample.userFrames();
  if (user.empty()) {
    out.flags |= flagsOf(out.end);
    return;
  }
  const uint64_t leaf = user.front() & ~FRAME_EXACT;
  // The leaf is where the process really runs: if no mapping has it, then one is missing.
  if (process && !covering(*process, leaf, leaf == user.front())) processes.repair(*process);
  if (!process || !process->known) out.flags |= STACK_NO_PROCESS;
  for (size_t i = 0; i < user.size(); i++) {
    const uint64_t address = user[i] & ~FRAME_EXACT;
    isReturn = address == user[i];
    const Mapping* mapping = process ? covering(*process, address, isReturn) : nullptr;
    if (mapping) {
      out.frames.push_back(frameOf(*mapping, address, isReturn));
    } else if (i > 0 && process && process->known) {
      // Not a return address but a number from a register that code without frame pointers uses
      // otherwise. Nothing above it means anything.
      out.end = sample.flags() & SAMPLE_TABLES_PENDING ? END_PROCESS_PENDING : END_NO_MAPPING;
      break;
    } else {
      out.frames.push_back({address, UNMAPPED_BINARY, isReturn});
    }
  }
  if (out.end == END_NO_MAPPING && process && covering(*process, user.back() & ~FRAME_EXACT, isReturn)) {
    // Mapped just now: the BPF program is told with the next samples.
    out.end = END_TABLE_PENDING;
    out.flags |= STACK_TABLES_PENDING;
  }
  out.flags |= flagsOf(out.end);
}

}  // namespace fleetflame

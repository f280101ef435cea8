// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "fold-table.h"
#include "process-table.h"
#include "sample-record.h"

namespace fleetflame {

/// Flags of a row; the same numbers are in sampler.ts.
constexpr uint8_t STACK_READ_FAILED = 1;
constexpr uint8_t STACK_TRUNCATED = 2;
constexpr uint8_t STACK_NO_PROCESS = 4;
constexpr uint8_t STACK_CHAIN_BROKEN = 8;
constexpr uint8_t STACK_COMPLETE = 16;
constexpr uint8_t STACK_FRAME_POINTERS = 32;
constexpr uint8_t STACK_TABLES_PENDING = 64;
constexpr uint8_t STACK_KERNEL_TRUNCATED = 128;

/// A stack with every address translated into (binary, address inside it).
struct ResolvedStack {
  std::vector<Frame> frames;
  uint8_t flags = 0;
  stack_end end = END_NONE;
};

/// Turns the addresses of a sample into frames by the mappings its process has now. `process` may be
/// null. Reads /proc again when the leaf is not covered.
void resolveStack(const SampleRecord& sample, Process* process, ProcessTable& processes, ResolvedStack& out);

}  // namespace fleetflame

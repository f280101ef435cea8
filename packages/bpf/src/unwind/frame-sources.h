// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "frame-section.h"
#include "elf-reader.h"

namespace fleetflame::unwind {

/// Sections that are read of one binary. Two are what there is, one of each kind; a file may claim thousands.
constexpr size_t MAX_FRAME_SOURCES = 3;

/// A section with frame descriptions, ready to be read.
struct FrameSource {
  bool isEhFrame;
  /// Owns the bytes of what was compressed.
  std::vector<uint8_t> inflated;
  std::unique_ptr<MemorySource> memory;
  std::unique_ptr<FrameSection> section;
};

/// .eh_frame by its section header, or without one through PT_GNU_EH_FRAME:
///
///   .eh_frame_hdr: [version 1] [encoding of the pointer] [of the count] [of the table] [pointer to .eh_frame] ...
///
/// False when there is none.
bool findEhFrame(const ElfReader& elf, std::vector<FrameSource>& out);

/// .debug_frame, or .zdebug_frame. `damaged` when there is one that cannot be inflated.
bool findDebugFrame(const ElfReader& elf, uint64_t maxInflatedBytes, std::vector<FrameSource>& out, bool& damaged);

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "elf-reader.h"

namespace fleetflame::unwind {

/// Where the code of a Go program is by its own account ("moduledata"). Until Go 1.25 the header of the function table
/// has the start of the text; since 1.26 there is 0, and .text's own start is wrong where a C linker put C's code first.
///
///   .go.module, a section of its own since 1.26:
///     0   pointer to the function table      160  first byte of code      168  end of the last function      176  text
///
/// Sources: runtime/symtab.go and cmd/link/internal/ld/symtab.go of the Go distribution, programs of Go 1.26 and 1.27.
struct GoModule {
  uint64_t firstCode;
  uint64_t lastCode;
};

/// False when no module points to the function table at `table`, or when what it says of its code cannot be.
bool findGoModule(const ElfReader& elf, uint64_t table, GoModule& out);

}  // namespace fleetflame::unwind

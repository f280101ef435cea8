// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "elf-reader.h"

namespace fleetflame::unwind {

/// The bytes of a compressed section: zlib, either after an Elf64_Chdr (SHF_COMPRESSED) or after the
/// older "ZLIB" and size of .zdebug_ sections. False when it is damaged, larger than `limit`, or
/// compressed in another way.
bool inflateSection(ByteSource& source, const ElfReader::Section& section, uint64_t limit, std::vector<uint8_t>& out);

}  // namespace fleetflame::unwind

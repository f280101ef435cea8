// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "../unwind/byte-source.h"

namespace fleetflame {

/// The GNU build id in the notes of an ELF file, as lower-case hex; "" when there is none or the
/// file is not ELF. Reads with bounds, never maps the file: it may shrink meanwhile.
std::string readBuildId(unwind::ByteSource& file);

std::string toHex(std::span<const uint8_t> bytes);

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "byte-cursor.h"

namespace fleetflame::unwind {

/// How .eh_frame and .eh_frame_hdr write addresses (DW_EH_PE_*): a format in the low half of a byte,
/// what it is relative to in the next three bits, and a bit for "the address of the address".
constexpr uint8_t POINTER_ABSOLUTE = 0x00;
constexpr uint8_t POINTER_OMITTED = 0xff;

/// What an encoded address can be relative to.
struct PointerBase {
  /// Address of the encoded bytes themselves.
  uint64_t field;
  /// Of DW_EH_PE_datarel; 0 where there is none.
  uint64_t data;
};

/// Reads an address. False, and the cursor failed, for what needs a running process (indirect) or is
/// relative to something unknown.
bool readPointer(ByteCursor& cursor, uint8_t encoding, const PointerBase& base, uint64_t& out);

/// Reads a length: the format alone counts, and it is never negative.
bool readLength(ByteCursor& cursor, uint8_t encoding, uint64_t& out);

/// Passes over a pointer whose value does not matter. `field` is its address.
bool skipPointer(ByteCursor& cursor, uint8_t encoding, uint64_t field);

}  // namespace fleetflame::unwind

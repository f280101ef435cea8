// SPDX-License-Identifier: Apache-2.0
#include "pointer-encoding.h"

namespace fleetflame::unwind {
namespace {

constexpr uint8_t FORMAT = 0x0f;
constexpr uint8_t RELATIVE = 0x70;
constexpr uint8_t INDIRECT = 0x80;

enum Format : uint8_t {
  FORMAT_POINTER = 0x00,
  FORMAT_ULEB = 0x01,
  FORMAT_U16 = 0x02,
  FORMAT_U32 = 0x03,
  FORMAT_U64 = 0x04,
  FORMAT_SIGNED_POINTER = 0x08,
  FORMAT_SLEB = 0x09,
  FORMAT_S16 = 0x0a,
  FORMAT_S32 = 0x0b,
  FORMAT_S64 = 0x0c,
};

enum Relative : uint8_t {
  RELATIVE_NOTHING = 0x00,
  RELATIVE_FIELD = 0x10,
  RELATIVE_DATA = 0x30,
  /// An absolute pointer after padding to eight bytes.
  ALIGNED = 0x50,
};

bool readFormat(ByteCursor& cursor, uint8_t encoding, uint64_t& out) {
  switch (encoding & FORMAT) {
    case FORMAT_POINTER:
    case FORMAT_U64:
    case FORMAT_SIGNED_POINTER:
    case FORMAT_S64:
      out = cursor.u64();
      break;
    case FORMAT_ULEB:
      out = cursor.uleb();
      break;
    case FORMAT_U16:
      out = cursor.u16();
      break;
    case FORMAT_U32:
      out = cursor.u32();
      break;
    case FORMAT_SLEB:
      out = static_cast<uint64_t>(cursor.sleb());
      break;
    case FORMAT_S16:
      out = static_cast<uint64_t>(int64_t{cursor.number<int16_t>()});
      break;
    case FORMAT_S32:
      out = static_cast<uint64_t>(int64_t{cursor.number<int32_t>()});
      break;
    default:
      cursor.fail();
  }
  return cursor.ok();
}

}  // namespace

bool readPointer(ByteCursor& cursor, uint8_t encoding, const PointerBase& base, uint64_t& out) {
  if (encoding == POINTER_OMITTED || (encoding & INDIRECT) != 0) {
    cursor.fail();
    return false;
  }
  if (!readFormat(cursor, encoding, out)) return false;
  switch (encoding & RELATIVE) {
    case RELATIVE_NOTHING:
      return true;
    case RELATIVE_FIELD:
      out += base.field;
      return true;
    case RELATIVE_DATA:
      out += base.data;
      if (base.data != 0) return true;
      break;
    default:
      break;
  }
  cursor.fail();
  return false;
}

bool readLength(ByteCursor& cursor, uint8_t encoding, uint64_t& out) {
  if (!readFormat(cursor, encoding, out)) return false;
  // Signed formats were extended: only their own bits are the length.
  if ((encoding & FORMAT) == FORMAT_S16) out &= UINT16_MAX;
  if ((encoding & FORMAT) == FORMAT_S32) out &= UINT32_MAX;
  return true;
}

bool skipPointer(ByteCursor& cursor, uint8_t encoding, uint64_t field) {
  if (encoding == POINTER_OMITTED) return true;
  if ((encoding & RELATIVE) == ALIGNED) cursor.take((8 - field % 8) % 8);
  uint64_t ignored = 0;
  return readFormat(cursor, encoding, ignored);
}

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fleetflame::unwind {

/// Reads numbers from bytes in order. After a read past the end every read gives 0 and `ok()` is
/// false: readers check once, after a group of fields.
class ByteCursor {
 public:
  ByteCursor() = default;
  ByteCursor(const uint8_t* bytes, size_t size) : at_(bytes), begin_(bytes), end_(bytes + size) {}

  bool ok() const { return !failed_; }
  bool atEnd() const { return at_ == end_; }
  size_t position() const { return static_cast<size_t>(at_ - begin_); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  void fail() {
    failed_ = true;
    at_ = end_;
  }

  /// The next `length` bytes; nullptr past the end.
  const uint8_t* take(uint64_t length) {
    if (length > remaining()) {
      fail();
      return nullptr;
    }
    const uint8_t* bytes = at_;
    at_ += length;
    return bytes;
  }

  template <typename T>
  T number() {
    T value{};
    if (const uint8_t* bytes = take(sizeof value)) std::memcpy(&value, bytes, sizeof value);
    return value;
  }

  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }

  /// Bits past the 64th are dropped, as other readers do; padded numbers are legal.
  uint64_t uleb() {
    uint64_t value = 0;
    unsigned shift = 0;
    while (true) {
      const uint8_t byte = u8();
      if (failed_) return 0;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) == 0) return value;
    }
  }

  int64_t sleb() {
    uint64_t value = 0;
    unsigned shift = 0;
    while (true) {
      const uint8_t byte = u8();
      if (failed_) return 0;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }

 private:
  const uint8_t* at_ = nullptr;
  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool failed_ = false;
};

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#include "byte-window.h"

#include <algorithm>

namespace fleetflame::unwind {

ByteWindow::ByteWindow(ByteSource& source, uint64_t offset, uint64_t size)
    : source_(source), offset_(offset), size_(size), bytes_(new uint8_t[WINDOWS * WINDOW_BYTES]) {
  const uint64_t whole = source.size();
  if (offset_ > whole) offset_ = whole;
  size_ = std::min(size_, whole - offset_);
}

const uint8_t* ByteWindow::view(uint64_t at, size_t length) {
  if (at > size_ || length > size_ - at || length > MAX_PIECE_BYTES) return nullptr;
  const uint64_t start = at - at % WINDOW_BYTES;
  if (at + length > start + WINDOW_BYTES) {
    if (piece_.size() < length) piece_.resize(length);
    return source_.read(offset_ + at, piece_.data(), length) ? piece_.data() : nullptr;
  }
  size_t oldest = 0;
  for (size_t i = 0; i < WINDOWS; i++) {
    if (slots_[i].filled > 0 && slots_[i].start == start) {
      slots_[i].used = ++clock_;
      return bytes_.get() + i * WINDOW_BYTES + (at - start);
    }
    if (slots_[i].used < slots_[oldest].used) oldest = i;
  }
  Slot& slot = slots_[oldest];
  uint8_t* bytes = bytes_.get() + oldest * WINDOW_BYTES;
  slot.start = start;
  slot.filled = static_cast<size_t>(std::min<uint64_t>(WINDOW_BYTES, size_ - start));
  if (!source_.read(offset_ + start, bytes, slot.filled)) {
    slot.filled = 0;
    slot.used = 0;
    return nullptr;
  }
  slot.used = ++clock_;
  return bytes + (at - start);
}

}  // namespace fleetflame::unwind

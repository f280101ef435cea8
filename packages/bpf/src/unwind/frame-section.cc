// SPDX-License-Identifier: Apache-2.0
#include "frame-section.h"

#include <algorithm>

namespace fleetflame::unwind {
namespace {

constexpr uint32_t LONG_LENGTH = 0xffffffff;
/// Lengths from here to LONG_LENGTH are reserved.
constexpr uint32_t RESERVED_LENGTH = 0xfffffff0;
constexpr uint32_t NO_CIE = UINT32_MAX;
/// What precedes an FDE's instructions: two encoded addresses and a length, ten bytes each at most.
/// Augmentation data may be longer; it is passed over by its length.
constexpr size_t FDE_HEAD_BYTES = 32;
constexpr size_t LONGEST_ENTRY_HEAD = 20;
constexpr size_t ADDRESS_BYTES = 8;

}  // namespace

bool FrameSection::readEntry(uint64_t at, Entry& out, bool& zero) {
  zero = false;
  if (at >= window_.size()) return false;
  const auto most = static_cast<size_t>(std::min<uint64_t>(LONGEST_ENTRY_HEAD, window_.size() - at));
  const uint8_t* bytes = window_.view(at, most);
  if (bytes == nullptr) return false;
  ByteCursor cursor(bytes, most);
  uint64_t length = cursor.u32();
  const bool isLong = length == LONG_LENGTH;
  if (isLong) length = cursor.u64();
  if (!cursor.ok() || (!isLong && length >= RESERVED_LENGTH)) return false;
  out.identifierAt = at + cursor.position();
  if (length > window_.size() - out.identifierAt) return false;
  out.end = out.identifierAt + length;
  if (length == 0) {
    zero = true;
    return true;
  }
  // In .eh_frame the identifier has four bytes in any case.
  const bool wide = isLong && !place_.isEhFrame;
  out.identifier = wide ? cursor.u64() : cursor.u32();
  const uint64_t cieMark = place_.isEhFrame ? 0 : (wide ? UINT64_MAX : uint64_t{UINT32_MAX});
  out.isCie = out.identifier == cieMark;
  out.body = at + cursor.position();
  return cursor.ok() && out.body <= out.end;
}

uint64_t FrameSection::cieOf(const Entry& entry) const {
  if (!place_.isEhFrame) return entry.identifier;
  return entry.identifier <= entry.identifierAt ? entry.identifierAt - entry.identifier : UINT64_MAX;
}

FrameSection::Next FrameSection::next(Fde& out) {
  while (at_ < window_.size()) {
    Entry entry{};
    bool zero = false;
    if (!readEntry(at_, entry, zero)) {
      damaged_ = true;
      return End;
    }
    if (zero && place_.zeroEnds) return End;
    at_ = entry.end;
    if (zero || entry.isCie) continue;
    Next failure = End;
    if (readFde(entry, out, failure)) return Function;
    if (failure != End) return failure;
    skipped_++;
  }
  return End;
}

bool FrameSection::readFde(const Entry& entry, Fde& out, Next& failure) {
  out.cie = cieAt(cieOf(entry));
  if (out.cie == NO_CIE) {
    if (cies_.size() >= MAX_CIES) failure = TooManyCies;
    return false;
  }
  const Cie& cie = cies_[out.cie];
  if (!cie.readable) return false;
  const auto head = static_cast<size_t>(std::min<uint64_t>(FDE_HEAD_BYTES, entry.end - entry.body));
  const uint8_t* bytes = window_.view(entry.body, head);
  if (bytes == nullptr) {
    failure = Unreadable;
    return false;
  }
  ByteCursor cursor(bytes, head);
  const PointerBase base{address(entry.body), place_.dataBase};
  if (!readPointer(cursor, cie.context.pointerEncoding, base, out.start)) return false;
  if (!readLength(cursor, cie.context.pointerEncoding, out.length)) return false;
  const uint64_t augmentation = cie.hasAugmentationData ? cursor.uleb() : 0;
  if (!cursor.ok()) return false;
  out.instructions = entry.body + cursor.position();
  if (augmentation > entry.end - out.instructions) return false;
  out.instructions += augmentation;
  out.instructionsLength = entry.end - out.instructions;
  return true;
}

uint32_t FrameSection::cieAt(uint64_t at) {
  const auto known = cieByPosition_.find(at);
  if (known != cieByPosition_.end()) return known->second;
  Entry entry{};
  bool zero = false;
  if (cies_.size() >= MAX_CIES || !readEntry(at, entry, zero) || zero || !entry.isCie) return NO_CIE;
  const auto index = static_cast<uint32_t>(cies_.size());
  cies_.emplace_back();
  parseCie(entry, cies_.back());
  cieByPosition_.emplace(at, index);
  return index;
}

void FrameSection::parseCie(const Entry& entry, Cie& out) {
  const uint64_t length = entry.end - entry.body;
  if (length > MAX_CIE_BYTES) return;
  const uint8_t* bytes = window_.view(entry.body, static_cast<size_t>(length));
  if (bytes == nullptr) return;
  ByteCursor cursor(bytes, static_cast<size_t>(length));
  const uint8_t version = cursor.u8();
  if (version != 1 && version != 3 && version != 4) return;
  const auto* text = reinterpret_cast<const char*>(bytes + cursor.position());
  size_t textLength = 0;
  while (cursor.ok() && cursor.u8() != 0) textLength++;
  if (!cursor.ok()) return;
  // A word that old compilers wrote.
  if (textLength == 2 && text[0] == 'e' && text[1] == 'h') {
    cursor.take(ADDRESS_BYTES);
    textLength = 0;
  }
  if (version == 4) {
    const uint8_t addressBytes = cursor.u8();
    const uint8_t segmentBytes = cursor.u8();
    if (addressBytes != ADDRESS_BYTES || segmentBytes != 0) return;
  }
  out.context.codeFactor = cursor.uleb();
  out.context.dataFactor = cursor.sleb();
  const uint64_t returnColumn = version == 1 ? cursor.u8() : cursor.uleb();
  out.context.dataBase = place_.dataBase;
  if (!parseAugmentation(cursor, entry, text, textLength, out)) return;
  out.readable = true;
  if (returnColumn != RETURN_ADDRESS) return;

  const size_t rest = cursor.remaining();
  const uint64_t instructionsAddress = address(entry.body + cursor.position());
  const FrameState nothing;
  CfiProgram program(ByteCursor(cursor.take(rest), rest), instructionsAddress, out.context, 0, nothing);
  out.understood = cursor.ok() && program.step() == CfiProgram::End;
  out.initial = program.row();
}

/// 'z' announces data with its length, so that letters after unknown ones can be passed over.
bool FrameSection::parseAugmentation(ByteCursor& cursor, const Entry& entry, const char* text, size_t length, Cie& out) {
  if (length == 0) return cursor.ok();
  if (text[0] != 'z') return false;
  out.hasAugmentationData = true;
  const uint64_t dataLength = cursor.uleb();
  const uint64_t dataAddress = address(entry.body + cursor.position());
  const uint8_t* bytes = cursor.take(dataLength);
  if (bytes == nullptr) return false;
  ByteCursor data(bytes, static_cast<size_t>(dataLength));
  for (size_t i = 1; i < length; i++) {
    switch (text[i]) {
      case 'L':
        data.u8();
        break;
      case 'R':
        out.context.pointerEncoding = data.u8();
        break;
      case 'P': {
        const uint8_t encoding = data.u8();
        if (!skipPointer(data, encoding, dataAddress + data.position())) return false;
        break;
      }
      case 'S':
        out.signalFrame = true;
        break;
      default:
        // What an unknown letter means for the letters after it is unknown too.
        return false;
    }
  }
  return data.ok();
}

ByteCursor FrameSection::instructions(const Fde& fde) {
  const auto length = static_cast<size_t>(fde.instructionsLength);
  const uint8_t* bytes = fde.instructionsLength <= ByteWindow::MAX_PIECE_BYTES ? window_.view(fde.instructions, length) : nullptr;
  ByteCursor cursor(bytes, bytes == nullptr ? 0 : length);
  if (bytes == nullptr) cursor.fail();
  return cursor;
}

size_t FrameSection::memoryBytes() const {
  constexpr size_t NODE_BYTES = 40;
  return window_.memoryBytes() + cies_.capacity() * sizeof(Cie) + cieByPosition_.size() * NODE_BYTES;
}

}  // namespace fleetflame::unwind

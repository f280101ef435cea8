// SPDX-License-Identifier: Apache-2.0
#include "frame-sources.h"

#include "inflate.h"

namespace fleetflame::unwind {
namespace {

constexpr uint8_t HEADER_VERSION = 1;
/// Version, three encodings, a pointer of at most ten bytes.
constexpr size_t HEADER_BYTES = 14;
constexpr size_t ENCODING_OF_POINTER = 1;
constexpr size_t POINTER_AT = 4;

void add(std::vector<FrameSource>& out, ByteSource& source, const FrameSection::Place& place) {
  out.push_back({place.isEhFrame, {}, nullptr, std::make_unique<FrameSection>(source, place)});
}

bool findByHeader(const ElfReader& elf, std::vector<FrameSource>& out) {
  const uint64_t header = elf.frameHeaderAddress();
  uint8_t bytes[HEADER_BYTES] = {};
  if (header == 0) return false;
  // The shortest one ends with the segment.
  size_t length = HEADER_BYTES;
  while (length > POINTER_AT && !elf.readAt(header, bytes, length)) length--;
  if (length <= POINTER_AT || bytes[0] != HEADER_VERSION) return false;
  ByteCursor cursor(bytes + POINTER_AT, length - POINTER_AT);
  uint64_t address = 0;
  if (!readPointer(cursor, bytes[ENCODING_OF_POINTER], {header + POINTER_AT, header}, address)) return false;
  const ElfReader::Segment* segment = elf.segmentAt(address);
  if (segment == nullptr) return false;
  const uint64_t within = address - segment->address;
  add(out, elf.source(), {segment->offset + within, segment->fileSize - within, address, header, true, true});
  return true;
}

}  // namespace

bool findEhFrame(const ElfReader& elf, std::vector<FrameSource>& out) {
  const size_t before = out.size();
  for (const ElfReader::Section& section : elf.sections()) {
    if (section.name != ".eh_frame" || section.compressed || section.size == 0) continue;
    // One place is left for .debug_frame.
    if (out.size() + 1 >= MAX_FRAME_SOURCES) break;
    add(out, elf.source(), {section.offset, section.size, section.address, elf.frameHeaderAddress(), true, false});
  }
  return out.size() > before || findByHeader(elf, out);
}

bool findDebugFrame(const ElfReader& elf, uint64_t maxInflatedBytes, std::vector<FrameSource>& out, bool& damaged) {
  const ElfReader::Section* section = elf.section(".debug_frame");
  if (section == nullptr) section = elf.section(".zdebug_frame");
  if (section == nullptr || section->size == 0) return false;
  if (!section->compressed) {
    add(out, elf.source(), {section->offset, section->size, 0, 0, false, false});
    return true;
  }
  std::vector<uint8_t> bytes;
  damaged = !inflateSection(elf.source(), *section, maxInflatedBytes, bytes);
  if (damaged) return false;
  FrameSource source{false, std::move(bytes), nullptr, nullptr};
  source.memory = std::make_unique<MemorySource>(source.inflated.data(), source.inflated.size());
  source.section = std::make_unique<FrameSection>(*source.memory, FrameSection::Place{0, source.inflated.size(), 0, 0, false, false});
  out.push_back(std::move(source));
  return true;
}

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#include "inflate.h"

#include <elf.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace fleetflame::unwind {
namespace {

constexpr size_t STEP_BYTES = 64 << 10;

/// Sizes as the section's own header gives them.
struct Header {
  uint64_t length;
  uint64_t inflated;
};

bool readHeader(ByteSource& source, const ElfReader::Section& section, Header& out) {
  if (section.name.compare(0, 2, ".z") == 0) {
    uint8_t bytes[12];
    if (section.size < sizeof bytes || !source.read(section.offset, bytes, sizeof bytes)) return false;
    if (std::memcmp(bytes, "ZLIB", 4) != 0) return false;
    out = {sizeof bytes, 0};
    for (size_t i = 4; i < sizeof bytes; i++) out.inflated = out.inflated << 8 | bytes[i];
    return true;
  }
  Elf64_Chdr header{};
  if (section.size < sizeof header || !source.read(section.offset, &header, sizeof header)) return false;
  out = {sizeof header, header.ch_size};
  return header.ch_type == ELFCOMPRESS_ZLIB;
}

/// Output grows as bytes arrive: a header that promises too much costs nothing.
bool inflateAll(z_stream& stream, ByteSource& source, uint64_t at, uint64_t left, uint64_t size, std::vector<uint8_t>& out) {
  std::vector<uint8_t> input(STEP_BYTES);
  int status = Z_OK;
  while (status == Z_OK) {
    if (stream.avail_in == 0 && left > 0) {
      const auto length = static_cast<size_t>(std::min<uint64_t>(left, input.size()));
      if (!source.read(at, input.data(), length)) return false;
      stream.next_in = input.data();
      stream.avail_in = static_cast<uInt>(length);
      at += length;
      left -= length;
    }
    const size_t used = out.size();
    const auto room = static_cast<size_t>(std::min<uint64_t>(STEP_BYTES, size - used));
    // One byte more than promised shows that there is more than promised.
    uint8_t excess;
    if (room > 0) out.resize(used + room);
    stream.next_out = room > 0 ? out.data() + used : &excess;
    stream.avail_out = room > 0 ? static_cast<uInt>(room) : 1;
    status = inflate(&stream, Z_NO_FLUSH);
    if (room == 0 && stream.avail_out == 0) return false;
    if (room > 0) out.resize(used + room - stream.avail_out);
  }
  return status == Z_STREAM_END && out.size() == size;
}

}  // namespace

bool inflateSection(ByteSource& source, const ElfReader::Section& section, uint64_t limit, std::vector<uint8_t>& out) {
  out.clear();
  Header header{};
  if (!readHeader(source, section, header) || header.inflated > limit) return false;
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return false;
  const bool whole = inflateAll(stream, source, section.offset + header.length, section.size - header.length, header.inflated, out);
  inflateEnd(&stream);
  return whole;
}

}  // namespace fleetflame::unwind

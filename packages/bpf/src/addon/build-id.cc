// SPDX-License-Identifier: Apache-2.0
#include "build-id.h"

#include <elf.h>

#include <cstring>
#include <vector>

#include "perf-record.h"

namespace fleetflame {
namespace {

/// Programs have about a dozen segments.
constexpr size_t MAX_SEGMENTS = 128;
/// A build id note is 36 bytes; distributions add some hundred bytes of others.
constexpr size_t MAX_NOTE_BYTES = 16 << 10;

/// A note is {name size, value size, type, name, value}, both padded to four bytes.
std::string findBuildId(std::span<const uint8_t> notes) {
  constexpr size_t HEADER = sizeof(Elf64_Nhdr);
  const auto padded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
  while (notes.size() >= HEADER) {
    Elf64_Nhdr note{};
    std::memcpy(&note, notes.data(), HEADER);
    const uint64_t nameEnd = HEADER + padded(note.n_namesz);
    const uint64_t end = nameEnd + padded(note.n_descsz);
    if (nameEnd + note.n_descsz > notes.size()) return "";
    const bool isGnu = note.n_namesz == 4 && std::memcmp(notes.data() + HEADER, "GNU", 4) == 0;
    if (isGnu && note.n_type == NT_GNU_BUILD_ID && note.n_descsz > 0) {
      // Longer than the kernel's limit is refused: both sources have to give the same identity.
      return note.n_descsz <= MAX_BUILD_ID_BYTES ? toHex(notes.subspan(nameEnd, note.n_descsz)) : "";
    }
    if (end >= notes.size()) return "";
    notes = notes.subspan(end);
  }
  return "";
}

template <typename Header, typename Segment>
std::string readFrom(unwind::ByteSource& file) {
  Header header{};
  if (!file.read(0, &header, sizeof header)) return "";
  if (header.e_phentsize != sizeof(Segment)) return "";
  std::vector<uint8_t> notes;
  for (size_t i = 0; i < header.e_phnum && i < MAX_SEGMENTS; i++) {
    Segment segment{};
    if (!file.read(header.e_phoff + i * sizeof segment, &segment, sizeof segment)) return "";
    if (segment.p_type != PT_NOTE || segment.p_filesz == 0 || segment.p_filesz > MAX_NOTE_BYTES) continue;
    notes.resize(segment.p_filesz);
    if (!file.read(segment.p_offset, notes.data(), notes.size())) continue;
    if (std::string id = findBuildId(notes); !id.empty()) return id;
  }
  return "";
}

}  // namespace

std::string toHex(std::span<const uint8_t> bytes) {
  constexpr char DIGITS[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    out.push_back(DIGITS[byte >> 4]);
    out.push_back(DIGITS[byte & 15]);
  }
  return out;
}

std::string readBuildId(unwind::ByteSource& file) {
  unsigned char ident[EI_NIDENT] = {};
  if (!file.read(0, ident, sizeof ident) || std::memcmp(ident, ELFMAG, SELFMAG) != 0) return "";
  if (ident[EI_DATA] != ELFDATA2LSB) return "";
  if (ident[EI_CLASS] == ELFCLASS64) return readFrom<Elf64_Ehdr, Elf64_Phdr>(file);
  if (ident[EI_CLASS] == ELFCLASS32) return readFrom<Elf32_Ehdr, Elf32_Phdr>(file);
  return "";
}

}  // namespace fleetflame

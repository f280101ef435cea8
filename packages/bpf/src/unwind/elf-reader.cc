// SPDX-License-Identifier: Apache-2.0
#include "elf-reader.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "registers.h"

namespace fleetflame::unwind {
namespace {

/// Section names looked at are short.
constexpr size_t MAX_NAME_BYTES = 32;

bool endsWith(const std::string& text, const char* tail) {
  const size_t length = std::strlen(tail);
  return text.size() >= length && text.compare(text.size() - length, length, tail) == 0;
}

}  // namespace

Refusal ElfReader::open() {
  Elf64_Ehdr header{};
  if (!source_.read(0, header.e_ident, EI_NIDENT)) return Refusal::NotElf;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return Refusal::NotElf;
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return Refusal::Not64Bit;
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return Refusal::NotLittleEndian;
  if (!source_.read(0, &header, sizeof header)) return Refusal::Unreadable;
  if (header.e_machine != ELF_MACHINE) return Refusal::OtherMachine;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return Refusal::NotLoadable;
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return Refusal::NotLoadable;

  const Refusal refusal = readSegments(header.e_phoff, header.e_phnum);
  if (refusal != Refusal::None) return refusal;
  if (header.e_shoff != 0 && header.e_shentsize == sizeof(Elf64_Shdr)) {
    readSections(header.e_shoff, header.e_shnum, header.e_shstrndx);
  }
  return Refusal::None;
}

Refusal ElfReader::readSegments(uint64_t offset, size_t count) {
  codeStart_ = UINT64_MAX;
  for (size_t i = 0; i < std::min(count, MAX_SEGMENTS); i++) {
    Elf64_Phdr segment{};
    const uint64_t at = i * sizeof segment;
    if (offset > UINT64_MAX - at || !source_.read(offset + at, &segment, sizeof segment)) return Refusal::Unreadable;
    if (segment.p_type == PT_GNU_EH_FRAME) {
      frameHeaderAddress_ = segment.p_vaddr;
      frameHeaderSize_ = segment.p_filesz;
    }
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    // The kernel maps no more of the file than the memory size says.
    const uint64_t memory = segment.p_memsz;
    segment.p_filesz = std::min(segment.p_filesz, memory);
    if (segment.p_vaddr > UINT64_MAX - memory || segment.p_offset > UINT64_MAX - memory) return Refusal::Unreadable;
    const bool executable = (segment.p_flags & PF_X) != 0;
    segments_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz, memory, executable});
    if (!executable) continue;
    codeStart_ = std::min<uint64_t>(codeStart_, segment.p_vaddr);
    codeEnd_ = std::max<uint64_t>(codeEnd_, segment.p_vaddr + segment.p_memsz);
  }
  if (codeEnd_ <= codeStart_) return Refusal::NoCode;
  if (codeEnd_ - codeStart_ > UINT32_MAX) return Refusal::CodeTooWide;
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.address < b.address; });
  return Refusal::None;
}

/// Damaged section headers are as good as none.
void ElfReader::readSections(uint64_t offset, size_t count, size_t nameTable) {
  const auto read = [&](size_t index, Elf64_Shdr& out) {
    const uint64_t at = index * sizeof out;
    return offset <= UINT64_MAX - at && source_.read(offset + at, &out, sizeof out);
  };
  Elf64_Shdr names{};
  if (nameTable >= count || !read(nameTable, names)) return;
  for (size_t i = 0; i < std::min(count, MAX_SECTIONS); i++) {
    Elf64_Shdr section{};
    if (!read(i, section)) return;
    if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL || section.sh_name >= names.sh_size) continue;
    const uint64_t nameAt = names.sh_offset + section.sh_name;
    if (nameAt < names.sh_offset || nameAt >= source_.size()) continue;
    char text[MAX_NAME_BYTES] = {};
    const uint64_t most = std::min<uint64_t>(sizeof text - 1, source_.size() - nameAt);
    if (!source_.read(nameAt, text, static_cast<size_t>(most))) continue;
    std::string name(text);
    const bool relocates = section.sh_type == SHT_RELA && (section.sh_flags & SHF_ALLOC) != 0;
    if (!relocates && !endsWith(name, "_frame") && !endsWith(name, ".gopclntab") && !endsWith(name, ".go.module")) continue;
    if (section.sh_offset > source_.size() || section.sh_size > source_.size() - section.sh_offset) continue;
    const bool compressed = (section.sh_flags & SHF_COMPRESSED) != 0 || name.compare(0, 2, ".z") == 0;
    auto& list = relocates ? relocations_ : sections_;
    list.push_back({std::move(name), section.sh_addr, section.sh_offset, section.sh_size, compressed});
  }
}

const ElfReader::Section* ElfReader::section(const char* name) const {
  for (const Section& section : sections_) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

const ElfReader::Segment* ElfReader::segmentAt(uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (address >= segment.address && address - segment.address < segment.fileSize) return &segment;
  }
  return nullptr;
}

bool ElfReader::isCode(uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.executable && address >= segment.address && address - segment.address < segment.memorySize) return true;
  }
  return false;
}

bool ElfReader::readAt(uint64_t address, void* out, size_t length) const {
  const Segment* segment = segmentAt(address);
  if (segment == nullptr) return false;
  const uint64_t within = address - segment->address;
  return length <= segment->fileSize - within && source_.read(segment->offset + within, out, length);
}

}  // namespace fleetflame::unwind

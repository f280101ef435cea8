// SPDX-License-Identifier: Apache-2.0
#include "debug-file.h"

#include <elfutils/libdwelf.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace fleetflame::symbols {

namespace {

/// elf.h of glibc 2.36 does not know it yet, elfutils 0.188 cannot read it.
constexpr uint32_t COMPRESSED_WITH_ZSTD = 2;
/// No section is larger: of 4 GiB on, 32-bit DWARF ends.
constexpr uint64_t MAX_SECTION_BYTES = UINT64_C(8) << 30;

}  // namespace

std::string hexOf(const void* bytes, size_t length) {
  static const char DIGITS[] = "0123456789abcdef";
  std::string text;
  for (size_t at = 0; at < length; at++) {
    const auto byte = static_cast<const uint8_t*>(bytes)[at];
    text += DIGITS[byte >> 4];
    text += DIGITS[byte & 15];
  }
  return text;
}

std::unique_ptr<DebugFile> DebugFile::open(int descriptor, Role role) {
  elf_version(EV_CURRENT);
  return std::unique_ptr<DebugFile>(new DebugFile(elf_begin(descriptor, ELF_C_READ_MMAP, nullptr), role));
}

std::unique_ptr<DebugFile> DebugFile::of(char* bytes, size_t size, Role role) {
  elf_version(EV_CURRENT);
  return std::unique_ptr<DebugFile>(new DebugFile(elf_memory(bytes, size), role));
}

DebugFile::DebugFile(Elf* elf, Role role) : elf_(elf) {
  if (elf_ == nullptr) throw Refused(std::string("it cannot be read: ") + elf_errmsg(-1));
  try {
    readSections(role);
  } catch (...) {
    elf_end(elf_);
    throw;
  }
}

DebugFile::~DebugFile() { elf_end(elf_); }

void DebugFile::readSections(Role role) {
  GElf_Ehdr header;
  if (elf_kind(elf_) != ELF_K_ELF || gelf_getehdr(elf_, &header) == nullptr)
    throw Refused("it is not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    throw Refused("it is not a 64-bit little-endian file");
  if (role == Role::Binary && header.e_type != ET_EXEC && header.e_type != ET_DYN)
    throw Refused("it is neither a program nor a shared library");
  for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section != nullptr; section = elf_nextscn(elf_, section)) {
    GElf_Shdr shape;
    if (gelf_getshdr(section, &shape) == nullptr) continue;
    if ((shape.sh_flags & SHF_EXECINSTR) != 0 && shape.sh_size > 0 && shape.sh_addr + shape.sh_size > shape.sh_addr)
      code_.push_back({shape.sh_addr, shape.sh_addr + shape.sh_size});
    if ((shape.sh_flags & SHF_COMPRESSED) != 0 && shape.sh_type != SHT_NOBITS) inflate(section, shape);
  }
  std::sort(code_.begin(), code_.end(), [](const CodeArea& a, const CodeArea& b) { return a.start < b.start; });
}

/// Here and not by libdw, which goes on without a section that it cannot inflate.
/// libelf hands out its own copy of a section's bytes: it is replaced by the inflated ones. The file does not change.
void DebugFile::inflate(Elf_Scn* section, GElf_Shdr& header) {
  Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_size < sizeof(Elf64_Chdr)) return;
  Elf64_Chdr compression;
  std::memcpy(&compression, data->d_buf, sizeof compression);
  if (compression.ch_size > MAX_SECTION_BYTES) throw Refused("a compressed section claims to have more than 8 GiB");
  if (compression.ch_type != COMPRESSED_WITH_ZSTD) {
    if (elf_compress(section, 0, 0) < 0)
      throw Refused(std::string("a compressed section cannot be inflated: ") + elf_errmsg(-1));
    return;
  }
  const auto* packed = static_cast<const char*>(data->d_buf) + sizeof compression;
  const size_t packedBytes = data->d_size - sizeof compression;
  // The frame says it too, so that a lie costs no memory. Linkers write one frame with its size.
  const unsigned long long framed = ZSTD_getFrameContentSize(packed, packedBytes);
  if (framed != ZSTD_CONTENTSIZE_UNKNOWN && framed > compression.ch_size)
    throw Refused("a compressed section contradicts its header");
  auto bytes = std::make_unique_for_overwrite<char[]>(compression.ch_size);
  if (ZSTD_decompress(bytes.get(), compression.ch_size, packed, packedBytes) != compression.ch_size)
    throw Refused("a section compressed with zstd cannot be inflated");
  Elf_Data* shown = elf_getdata(section, nullptr);
  if (shown == nullptr) throw Refused("a section compressed with zstd cannot be replaced");
  for (Elf_Data* one : {data, shown}) {
    one->d_buf = bytes.get();
    one->d_size = compression.ch_size;
    one->d_type = ELF_T_BYTE;
    one->d_align = 1;
  }
  inflated_.push_back(std::move(bytes));
  header.sh_flags &= ~static_cast<uint64_t>(SHF_COMPRESSED);
  header.sh_size = compression.ch_size;
  if (gelf_update_shdr(section, &header) == 0) throw Refused("a section compressed with zstd cannot be replaced");
}

CodeArea DebugFile::clip(uint64_t start, uint64_t end) const {
  auto after = std::upper_bound(code_.begin(), code_.end(), start,
                                [](uint64_t address, const CodeArea& area) { return address < area.start; });
  if (after == code_.begin()) return {start, start};
  const CodeArea& area = *std::prev(after);
  return {start, start < area.end ? std::max(start, std::min(end, area.end)) : start};
}

std::string DebugFile::buildId() const {
  const void* bytes = nullptr;
  const ssize_t length = dwelf_elf_gnu_build_id(elf_, &bytes);
  return length > 0 ? hexOf(bytes, static_cast<size_t>(length)) : "";
}

}  // namespace fleetflame::symbols

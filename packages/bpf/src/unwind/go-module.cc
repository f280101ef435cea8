// SPDX-License-Identifier: Apache-2.0
#include "go-module.h"

#include <elf.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "byte-window.h"
#include "registers.h"

namespace fleetflame::unwind {
namespace {

constexpr size_t WORD = 8;
constexpr uint64_t FIRST_CODE_AT = 160;
constexpr uint64_t LAST_CODE_AT = 168;
constexpr uint64_t MODULE_BYTES = 192;
/// Of a word that is the place where the file is loaded, plus the entry's addend.
constexpr uint32_t RELATIVE = ELF_MACHINE == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
/// Read for one module, of all tables together: 1.5 million entries; a program of 100 MB has half of them.
constexpr uint64_t MAX_RELOCATION_BYTES = 36 << 20;
/// Looked at; real files have one.
constexpr size_t MAX_MODULES = 4;

/// Words of the module, of which some linkers leave the values to the loader: then they stand in RELA entries alone.
class ModuleWords {
 public:
  ModuleWords(const ElfReader& elf, uint64_t address) : elf_(elf), address_(address) {}

  bool at(uint64_t offset, uint64_t& out) {
    if (!elf_.readAt(address_ + offset, &out, sizeof out)) return false;
    return out != 0 || fromLoader(offset, out);
  }

 private:
  bool fromLoader(uint64_t offset, uint64_t& out) {
    if (!collected_) collect();
    for (const auto& [target, value] : relocated_) {
      if (target != offset) continue;
      out = value;
      return true;
    }
    return false;
  }

  void collect() {
    collected_ = true;
    uint64_t left = MAX_RELOCATION_BYTES;
    for (const ElfReader::Section& section : elf_.relocations()) {
      ByteWindow entries(elf_.source(), section.offset, section.size);
      const uint64_t end = std::min(section.size, left);
      left -= end;
      for (uint64_t at = 0; end - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
        Elf64_Rela entry{};
        const uint8_t* bytes = entries.view(at, sizeof entry);
        if (bytes == nullptr) break;
        std::copy_n(bytes, sizeof entry, reinterpret_cast<uint8_t*>(&entry));
        const uint64_t offset = entry.r_offset - address_;
        if (ELF64_R_TYPE(entry.r_info) != RELATIVE || offset >= MODULE_BYTES || offset % WORD != 0) continue;
        // One a word.
        if (relocated_.size() < MODULE_BYTES / WORD) relocated_.emplace_back(offset, static_cast<uint64_t>(entry.r_addend));
      }
    }
  }

  const ElfReader& elf_;
  uint64_t address_;
  bool collected_ = false;
  std::vector<std::pair<uint64_t, uint64_t>> relocated_;
};

}  // namespace

bool findGoModule(const ElfReader& elf, uint64_t table, GoModule& out) {
  size_t seen = 0;
  for (const ElfReader::Section& section : elf.sections()) {
    if (section.name.find("go.module") == std::string::npos || section.size < MODULE_BYTES) continue;
    if (++seen > MAX_MODULES) return false;
    ModuleWords words(elf, section.address);
    uint64_t pointer = 0;
    if (!words.at(0, pointer) || pointer != table) continue;
    if (!words.at(FIRST_CODE_AT, out.firstCode) || !words.at(LAST_CODE_AT, out.lastCode)) continue;
    if (out.firstCode < out.lastCode && elf.isCode(out.firstCode) && elf.isCode(out.lastCode - 1)) return true;
  }
  return false;
}

}  // namespace fleetflame::unwind

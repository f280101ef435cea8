// SPDX-License-Identifier: Apache-2.0
//
// A libFuzzer target for all that reads foreign bytes here. The first byte of an input says what the
// rest is:
//
//   0  an ELF file          1  an .eh_frame section       2  a .debug_frame section
//   3  a cache file         4  a compressed .debug_frame (after its Elf64_Chdr)    5  Go's table of functions
//
//   clang++ -std=c++17 -g -O1 -fsanitize=fuzzer,address,undefined *.cc testing/fuzz-tables.cc -lz -o fuzz-tables
//   ./fuzz-tables NEW-CORPUS testing/corpus
//
// With -DREPLAY it is a program that takes files, and damages each in N ways: fuzz.test.ts.
//
#include <elf.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../build.h"
#include "../cache-file.h"

namespace {

using namespace fleetflame::unwind;
using Bytes = std::vector<uint8_t>;

enum Mode : uint8_t { ELF_FILE, EH_FRAME, DEBUG_FRAME, CACHE_FILE, COMPRESSED_DEBUG_FRAME, GO_TABLE, MODES };

/// Small limits, so that they are met.
constexpr uint64_t MAX_FUNCTIONS = 20000;
constexpr uint64_t MAX_ROWS = 100000;
constexpr uint64_t MAX_BYTES = 1 << 20;
constexpr const char* CACHE_ID = "00112233445566778899aabbccddeeff";

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void put(Bytes& out, const void* bytes, size_t length) {
  const auto* start = static_cast<const uint8_t*>(bytes);
  out.insert(out.end(), start, start + length);
}

/// An ELF file of one executable segment whose frame section has the given bytes.
Bytes wrap(const uint8_t* data, size_t size, const char* section, uint64_t flags) {
  constexpr uint64_t CODE = 0x1000;
  constexpr uint64_t CODE_BYTES = 0x40000;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_shoff = sizeof header + sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  const std::string names = std::string(1, '\0') + section + '\0';
  const uint64_t namesAt = header.e_shoff + 3 * sizeof(Elf64_Shdr);
  const uint64_t dataAt = namesAt + names.size();
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_vaddr = CODE;
  segment.p_filesz = dataAt + size;
  segment.p_memsz = CODE_BYTES;
  Elf64_Shdr sections[3] = {};
  sections[1].sh_name = 1;
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_flags = flags;
  sections[1].sh_addr = CODE + dataAt;
  sections[1].sh_offset = dataAt;
  sections[1].sh_size = size;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = namesAt;
  sections[2].sh_size = names.size();
  Bytes out;
  put(out, &header, sizeof header);
  put(out, &segment, sizeof segment);
  put(out, sections, sizeof sections);
  put(out, names.data(), names.size());
  put(out, data, size);
  return out;
}

/// What the BPF program relies on.
void check(const UnwindTable& table) {
  expect(!table.pages.empty() && table.pages.back() == table.rows.size(), "the pages do not end with the rows");
  expect(table.rows.size() <= MAX_ROWS && table.bytes() <= MAX_BYTES + 64, "a limit is passed");
  uint64_t last = 0;
  bool first = true;
  for (size_t page = 0; page + 1 < table.pages.size(); page++) {
    expect(table.pages[page] <= table.pages[page + 1], "pages go back");
    for (uint32_t row = table.pages[page]; row < table.pages[page + 1]; row++) {
      const uint64_t address = table.base + (page << UnwindTable::PAGE_BITS) + UnwindTable::addressLow(table.rows[row]);
      expect(first || address > last, "rows are not sorted");
      const uint16_t rule = UnwindTable::ruleIndex(table.rows[row]);
      expect(rule < table.rules.size(), "a rule is not there");
      expect(&table.find(address) == &table.rules[rule], "a row is not found");
      last = address;
      first = false;
    }
  }
  for (const Rule& rule : table.rules) {
    expect(isValid(rule), "a rule is not valid");
    expect(!describe(rule).empty(), "a rule has no text");
  }
}

void buildFrom(const Bytes& bytes) {
  MemorySource source(bytes.data(), bytes.size());
  ElfReader elf(source);
  if (elf.open() != Refusal::None) return;
  Limits limits;
  limits.maxFunctions = MAX_FUNCTIONS;
  limits.maxRows = MAX_ROWS;
  limits.maxBytes = MAX_BYTES;
  limits.maxInflatedBytes = MAX_BYTES;
  UnwindTable table;
  if (build(elf, limits, table) == Refusal::None) check(table);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A copy of exact size, so that the sanitizer sees every byte read past the end.
  const Bytes bytes(data + 1, data + size);
  switch (data[0] % MODES) {
    case EH_FRAME:
      buildFrom(wrap(bytes.data(), bytes.size(), ".eh_frame", SHF_ALLOC));
      break;
    case DEBUG_FRAME:
      buildFrom(wrap(bytes.data(), bytes.size(), ".debug_frame", 0));
      break;
    case COMPRESSED_DEBUG_FRAME:
      buildFrom(wrap(bytes.data(), bytes.size(), ".debug_frame", SHF_COMPRESSED));
      break;
    case GO_TABLE:
      buildFrom(wrap(bytes.data(), bytes.size(), ".gopclntab", SHF_ALLOC));
      break;
    case CACHE_FILE: {
      MemorySource source(bytes.data(), bytes.size());
      UnwindTable table;
      if (readCacheFile(source, CACHE_ID, MAX_BYTES, table)) check(table);
      break;
    }
    default:
      buildFrom(bytes);
  }
  return 0;
}

#ifdef REPLAY
#include "../../testing/replay.h"
#endif

// SPDX-License-Identifier: Apache-2.0
#include "go-table.h"

#include <algorithm>
#include <cstring>

#include "go-module.h"

namespace fleetflame::unwind {
namespace {

constexpr uint32_t GO_1_2 = 0xfffffffb;
constexpr uint32_t GO_1_16 = 0xfffffffa;
constexpr uint32_t GO_1_18 = 0xfffffff0;
constexpr uint32_t GO_1_20 = 0xfffffff1;

constexpr size_t WORD = 8;
/// Where the header has the quantum, the size of a pointer and the number of functions.
constexpr uint64_t QUANTUM_AT = 6;
constexpr uint64_t POINTER_AT = 7;
constexpr uint64_t FUNCTIONS_AT = 8;
/// In 1.2 functab follows the number of functions; everything counts from the table.
constexpr uint64_t OLD_FUNCTAB_AT = 16;
/// Offsets of names and four other parts; since 1.18 the start of the code is before them.
constexpr uint64_t PARTS_AT = 24;
constexpr uint64_t DEPTHS_PART = 3;
constexpr uint64_t FUNCTAB_PART = 4;
/// In a function's record, after its entry: name, args, deferreturn, pcsp.
constexpr uint64_t DEPTHS_IN_RECORD = 12;
/// Longer than the names that are looked for.
constexpr size_t NAME_BYTES = 32;

struct Special {
  const char* name;
  GoTable::Kind kind;
};

/// As Go's own tracebacks end, and change stacks. Every g0 begins in mstart, every goroutine in goexit;
/// mcall and morestack leave a goroutine that may run elsewhere meanwhile.
constexpr Special SPECIAL[] = {
    {"runtime.goexit", GoTable::Outermost},
    {"runtime.mstart", GoTable::Outermost},
    {"runtime.rt0_go", GoTable::Outermost},
    {"runtime.mcall", GoTable::Outermost},
    {"runtime.morestack", GoTable::Outermost},
    {"runtime.systemstack", GoTable::SwitchesStack},
    {"runtime.asmcgocall", GoTable::SwitchesStack},
    // They call the vDSO on the stack of the thread, with a frame of their own.
    {"runtime.nanotime1", GoTable::SwitchesStack},
    {"runtime.walltime", GoTable::SwitchesStack},
    {"runtime.walltime1", GoTable::SwitchesStack},
    {"time.now", GoTable::SwitchesStack},
    {"runtime.systemstack_switch", GoTable::ReturnedTo},
};

}  // namespace

bool GoTable::open() {
  for (const ElfReader::Section& section : elf_.sections()) {
    if (section.name.find("gopclntab") == std::string::npos || section.compressed) continue;
    table_ = std::make_unique<ByteWindow>(elf_.source(), section.offset, section.size);
    if (readHeader(section.address)) return true;
    table_.reset();
  }
  return false;
}

bool GoTable::word(uint64_t at, size_t bytes, uint64_t& out) {
  out = 0;
  const uint8_t* found = table_->view(at, bytes);
  if (found == nullptr) return false;
  std::memcpy(&out, found, bytes);
  return true;
}

bool GoTable::readHeader(uint64_t address) {
  uint64_t magic = 0;
  uint64_t pointer = 0;
  if (!word(0, sizeof(uint32_t), magic) || !word(QUANTUM_AT, 1, quantum_) || !word(POINTER_AT, 1, pointer)) return false;
  if (pointer != WORD || quantum_ == 0 || !word(FUNCTIONS_AT, WORD, functions_)) return false;
  if (magic == GO_1_2) {
    functabAt_ = OLD_FUNCTAB_AT;
    entryBytes_ = WORD;
  } else if (magic == GO_1_16 || magic == GO_1_18 || magic == GO_1_20) {
    const bool hasText = magic != GO_1_16;
    const uint64_t parts = PARTS_AT + (hasText ? WORD : 0);
    if (hasText && !word(PARTS_AT, WORD, textStart_)) return false;
    if (!word(parts, WORD, namesAt_) || !word(parts + DEPTHS_PART * WORD, WORD, depthsAt_)) return false;
    if (!word(parts + FUNCTAB_PART * WORD, WORD, functabAt_)) return false;
    recordsFrom_ = functabAt_;
    entryBytes_ = hasText ? sizeof(uint32_t) : WORD;
  } else {
    return false;
  }
  if (namesAt_ >= table_->size() || depthsAt_ >= table_->size() || functabAt_ >= table_->size() || functions_ >= table_->size()) return false;
  // Since 1.26, and where the loader has still to fill it in, it is 0.
  if (entryBytes_ != WORD && textStart_ == 0 && !findText(address)) return false;
  Place first{};
  return placeAt(0, first) && elf_.isCode(first.entry);
}

bool GoTable::findText(uint64_t address) {
  GoModule module{};
  Place first{};
  if (!findGoModule(elf_, address, module) || !placeAt(0, first) || module.firstCode < first.entry) return false;
  textStart_ = module.firstCode - first.entry;
  // The functions end within the code that the module has.
  uint64_t end = 0;
  return word(functabAt_ + functions_ * 2 * entryBytes_, entryBytes_, end) && end <= module.lastCode - textStart_;
}

bool GoTable::placeAt(uint64_t index, Place& out) {
  const uint64_t at = functabAt_ + index * 2 * entryBytes_;
  if (!word(at, entryBytes_, out.entry) || !word(at + entryBytes_, entryBytes_, out.record)) return false;
  out.entry += textStart_;
  out.record += recordsFrom_;
  return true;
}

bool GoTable::next(Function& out) {
  while (index_ < functions_) {
    Place place{};
    uint64_t name = 0;
    uint64_t depths = 0;
    if (!placeAt(index_, place) || !word(place.record + entryBytes_, sizeof(uint32_t), name) ||
        !word(place.record + entryBytes_ + DEPTHS_IN_RECORD, sizeof(uint32_t), depths)) {
      damaged_ = true;
      return false;
    }
    index_++;
    // Without depths it is code of others: what Go's linker was given.
    uint64_t end = 0;
    if (depths == 0 || !stretches(depths, place.entry, end, [](const Stretch&) { return true; })) continue;
    out = {place.entry, end - place.entry, depths, kindOf(name)};
    return true;
  }
  return false;
}

GoTable::Kind GoTable::kindOf(uint64_t name) {
  const uint64_t at = namesAt_ + name;
  if (at >= table_->size()) return Depth;
  const auto most = static_cast<size_t>(std::min<uint64_t>(NAME_BYTES, table_->size() - at));
  const auto* text = reinterpret_cast<const char*>(table_->view(at, most));
  if (text == nullptr) return Depth;
  for (const auto& [special, kind] : SPECIAL) {
    const size_t length = std::strlen(special) + 1;
    if (length <= most && std::memcmp(text, special, length) == 0) return kind;
  }
  return Depth;
}

}  // namespace fleetflame::unwind

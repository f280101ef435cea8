// SPDX-License-Identifier: Apache-2.0
#include "reader.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <unistd.h>

#include <memory>

#include "unit-lines.h"

namespace fleetflame::symbols {

namespace {

/// libdw keeps the lines and abbreviations of every unit that was read until its handle is closed: from so much on
/// it is closed and opened again, which costs a millisecond.
constexpr size_t MAX_KEPT_BYTES = 128u << 20;

constexpr size_t ENOUGH_BYTES = 16u << 20;

/// An exception would have to pass through libdw's own frames.
__attribute__((noreturn)) void outOfMemory() {
  constexpr char MESSAGE[] = "it needs more memory than it may take\n";
  if (write(STDERR_FILENO, MESSAGE, sizeof MESSAGE - 1) < 0) _exit(EXIT_OUT_OF_MEMORY);
  _exit(EXIT_OUT_OF_MEMORY);
}

/// A handle for the file, with its supplementary file.
class Handle {
 public:
  Handle(const DebugFile& file, const DebugFile* supplement) {
    main_ = dwarf_begin_elf(file.elf(), DWARF_C_READ, nullptr);
    if (main_ == nullptr) {
      const std::string reason = dwarf_errmsg(-1);
      // With little left, that is why; libdw does not say so.
      std::make_unique_for_overwrite<char[]>(ENOUGH_BYTES)[0] = 0;
      throw Refused("it has no debug information: " + reason);
    }
    dwarf_new_oom_handler(main_, outOfMemory);
    const void* id = nullptr;
    const char* path = nullptr;
    const ssize_t idBytes = dwelf_dwarf_gnu_debugaltlink(main_, &path, &id);
    if (idBytes > 0) {
      link.buildId = hexOf(id, static_cast<size_t>(idBytes));
      link.path = path;
    }
    if (supplement != nullptr && link.buildId != "" && supplement->buildId() == link.buildId) {
      alt_ = dwarf_begin_elf(supplement->elf(), DWARF_C_READ, nullptr);
      if (alt_ != nullptr) dwarf_new_oom_handler(alt_, outOfMemory);
    }
    // Without one libdw looks for it on this machine, which the sandbox does not let it.
    if (alt_ != nullptr) dwarf_setalt(main_, alt_);
    link.used = alt_ != nullptr;
  }
  ~Handle() {
    dwarf_end(main_);
    if (alt_ != nullptr) dwarf_end(alt_);
  }
  Handle(const Handle&) = delete;

  Dwarf* main() const { return main_; }
  Supplement link;

 private:
  Dwarf* main_ = nullptr;
  Dwarf* alt_ = nullptr;
};

}  // namespace

Supplement readDebugInformation(const DebugFile& file, const DebugFile* supplement, Tables& tables) {
  auto handle = std::make_unique<Handle>(file, supplement);
  FunctionNames names(tables);
  UnitScopes scopes(tables, names, file);
  UnitLines lines(tables, file);
  size_t kept = 0;
  Dwarf_Off offset = 0;
  Dwarf_Off next = 0;
  size_t headerBytes = 0;
  for (;; offset = next) {
    Dwarf_Half version = 0;
    const int found = dwarf_next_unit(handle->main(), offset, &next, &headerBytes, &version, nullptr, nullptr, nullptr,
                                      nullptr, nullptr);
    if (found > 0) break;
    if (found < 0 || next <= offset) {
      tables.damagedUnits++;
      break;
    }
    Dwarf_Die unit;
    if (dwarf_offdie(handle->main(), offset + headerBytes, &unit) == nullptr) {
      tables.damagedUnits++;
      continue;
    }
    uint8_t kind = 0;
    Dwarf_Die split;
    if (dwarf_cu_info(unit.cu, nullptr, &kind, nullptr, &split, nullptr, nullptr, nullptr) != 0) {
      tables.damagedUnits++;
      continue;
    }
    if (kind == DW_UT_type || kind == DW_UT_split_type) continue;
    tables.units++;
    if (kind == DW_UT_skeleton && split.addr == nullptr) tables.splitUnits++;
    scopes.read(&unit);
    kept += lines.read(&unit, scopes);
    if (kept > MAX_KEPT_BYTES) {
      names.forget();
      handle = std::make_unique<Handle>(file, supplement);
      kept = 0;
    }
  }
  return handle->link;
}

}  // namespace fleetflame::symbols

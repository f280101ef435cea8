// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elfutils/libdw.h>
#include <gelf.h>

#include <memory>
#include <string>
#include <vector>

#include "limits.h"

namespace fleetflame::symbols {

struct CodeArea {
  uint64_t start;
  uint64_t end;
};

/// An ELF file whose debug sections libdw can read: those that it cannot inflate (zstd) are inflated here.
class DebugFile {
 public:
  /// What a file is read for. A supplementary file is an object file, and has no code.
  enum class Role { Binary, Supplement };

  /// The descriptor stays with the caller, and open.
  static std::unique_ptr<DebugFile> open(int descriptor, Role role);
  /// For bytes in memory, which libelf may write to.
  static std::unique_ptr<DebugFile> of(char* bytes, size_t size, Role role);
  ~DebugFile();
  DebugFile(const DebugFile&) = delete;

  Elf* elf() const { return elf_; }
  /// Sections with code, by address. Debug files have them without their bytes.
  const std::vector<CodeArea>& code() const { return code_; }
  /// The part of [start, end) that is code: empty when it does not begin in code.
  CodeArea clip(uint64_t start, uint64_t end) const;
  /// Lower-case hex; empty without one.
  std::string buildId() const;

 private:
  DebugFile(Elf* elf, Role role);
  void readSections(Role role);
  void inflate(Elf_Scn* section, GElf_Shdr& header);

  Elf* elf_;
  std::vector<CodeArea> code_;
  std::vector<std::unique_ptr<char[]>> inflated_;
};

std::string hexOf(const void* bytes, size_t length);

}  // namespace fleetflame::symbols

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elfutils/libdw.h>

#include <vector>

#include "debug-file.h"
#include "function-names.h"

namespace fleetflame::symbols {

/// From `address` on code belongs to this inlined call (index plus 1; 0: to none), until the next one.
struct CallRun {
  uint64_t address;
  uint32_t call;
};

/// Which inlined call each address of a unit belongs to.
///
/// ```
///   f           ├──────────────────────┤        DW_TAG_subprogram: a range of the table
///   g in f           ├──────────┤               DW_TAG_inlined_subroutine: a call
///   h in g in f          ├───┤
///   runs        0    g   h   g  0
/// ```
/// Inlined code counts only where the code around it is: what reaches beyond is the compiler's inaccuracy.
class UnitScopes {
 public:
  UnitScopes(Tables& tables, FunctionNames& names, const DebugFile& file)
      : tables_(tables), names_(names), file_(file) {}

  /// Walks all entries of a unit. Adds its functions to the tables.
  void read(Dwarf_Die* unit);
  /// Valid until the next read().
  const std::vector<CallRun>& runs() const { return runs_; }
  /// Where the unit's functions are.
  const std::vector<CodeArea>& functionAreas() const { return areas_; }

 private:
  using Areas = std::vector<CodeArea>;
  struct Scope {
    uint64_t start;
    uint64_t end;
    uint32_t call;
    uint32_t depth;
  };
  struct Place {
    /// Code of the function or call around; nullptr outside of functions.
    const Areas* around;
    uint32_t call;
    unsigned inlineDepth;
    unsigned depth;
  };

  void children(Dwarf_Die* parent, const Place& place);
  void function(Dwarf_Die* entry, const Place& place);
  void inlined(Dwarf_Die* entry, const Place& place);
  Areas areasOf(Dwarf_Die* entry);
  uint32_t callFile(Dwarf_Die* entry);
  void flatten();

  Tables& tables_;
  FunctionNames& names_;
  const DebugFile& file_;
  Dwarf_Files* files_ = nullptr;
  size_t fileCount_ = 0;
  const char* directory_ = nullptr;
  std::vector<uint32_t> fileNumbers_;
  std::vector<Scope> scopes_;
  std::vector<CallRun> runs_;
  Areas areas_;
  uint64_t entries_ = 0;
};

}  // namespace fleetflame::symbols

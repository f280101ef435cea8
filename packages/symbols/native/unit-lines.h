// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "unit-scopes.h"

namespace fleetflame::symbols {

/// The lines of a unit, joined with its inlined calls: rows for the table.
class UnitLines {
 public:
  UnitLines(Tables& tables, const DebugFile& file) : tables_(tables), file_(file) {}

  /// Returns how much memory libdw keeps for the unit's lines, until its handle is closed.
  size_t read(Dwarf_Die* unit, const UnitScopes& scopes);

 private:
  struct LineRow {
    uint64_t address;
    uint32_t file;
    uint32_t line;
  };

  void readLines(Dwarf_Lines* lines, size_t count, const char* directory);
  std::vector<CodeArea> liveAreas(Dwarf_Die* unit, const UnitScopes& scopes) const;
  void join(const CodeArea& area, const std::vector<CallRun>& runs);
  void flush(std::vector<Row>& piece, uint64_t end);

  Tables& tables_;
  const DebugFile& file_;
  std::vector<LineRow> lines_;
  /// Numbers of files, by libdw's pointer to their path.
  std::unordered_map<const char*, uint32_t> files_;
  std::vector<Row> piece_;
};

}  // namespace fleetflame::symbols

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elfutils/libdw.h>

#include <deque>
#include <unordered_map>

#include "tables.h"

namespace fleetflame::symbols {

/// nullptr where it is not known.
const char* compilationDirectory(Dwarf_Die* unit);

/// Functions by the entries that describe them. One function has many entries: its declaration in a class,
/// its abstract instance, its concrete ones.
class FunctionNames {
 public:
  explicit FunctionNames(Tables& tables) : tables_(tables) {}

  /// Number of the function; its name may be empty.
  uint32_t functionOf(Dwarf_Die* entry);
  bool hasName(uint32_t function) const { return tables_.functions.tuples()[function][0] != 0; }
  /// Forgets entries: their addresses mean nothing once the Dwarf handle is closed.
  void forget();

 private:
  /// Of the functions of one unit that stand in a class, a namespace or a function: "std::vector<int>::".
  struct Scopes {
    const Dwarf_CU* unit;
    std::unordered_map<const void*, uint32_t> prefixOf;
  };
  /// Entries remembered; 1 million take some 50 MB.
  static constexpr size_t MAX_REMEMBERED = 1'000'000;
  /// Origins lie in the same unit, or in the few that a linker or dwz moved what is common to.
  static constexpr size_t UNITS_REMEMBERED = 8;

  uint32_t describe(Dwarf_Die* entry);
  std::string_view prefixOf(Dwarf_Die* entry);
  void collect(Dwarf_Die* parent, const std::string& prefix, Scopes& scopes, unsigned depth);

  Tables& tables_;
  std::unordered_map<const void*, uint32_t> known_;
  std::deque<Scopes> scopes_;
};

}  // namespace fleetflame::symbols

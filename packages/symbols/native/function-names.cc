// SPDX-License-Identifier: Apache-2.0
#include "function-names.h"

#include <dwarf.h>

namespace fleetflame::symbols {

namespace {

/// Follows DW_AT_abstract_origin and DW_AT_specification to the entry that is nested where the function is declared.
Dwarf_Die declarationOf(Dwarf_Die* entry) {
  Dwarf_Die at = *entry;
  // The longest real way: concrete, abstract, declaration.
  for (unsigned step = 0; step < 8; step++) {
    Dwarf_Attribute memory;
    Dwarf_Attribute* attribute = dwarf_attr(&at, DW_AT_abstract_origin, &memory);
    if (attribute == nullptr) attribute = dwarf_attr(&at, DW_AT_specification, &memory);
    Dwarf_Die next;
    if (attribute == nullptr || dwarf_formref_die(attribute, &next) == nullptr) break;
    at = next;
  }
  return at;
}

/// Where a function's bare name does not tell which one it is.
bool isNested(Dwarf_Die* entry) {
  Dwarf_Die unit;
  if (dwarf_diecu(entry, &unit, nullptr, nullptr) == nullptr) return false;
  switch (dwarf_srclang(&unit)) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case 0x2b:  // C++ 17
    case 0x2c:  // C++ 20
    case DW_LANG_Rust:
    case DW_LANG_D:
      return true;
    // Parts that dwz moved have no language: what is nested in them is of one of these.
    case -1:
      return true;
    default:
      return false;
  }
}

bool namesWhatIsInside(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
         tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_subprogram;
}

const char* stringOf(Dwarf_Die* entry, unsigned name) {
  Dwarf_Attribute memory;
  return dwarf_formstring(dwarf_attr_integrate(entry, name, &memory));
}

/// The file of the line where a function is declared.
uint32_t fileOf(Dwarf_Die* entry, Tables& tables) {
  const char* path = dwarf_decl_file(entry);
  Dwarf_Attribute memory;
  Dwarf_Attribute* attribute = dwarf_attr_integrate(entry, DW_AT_decl_file, &memory);
  Dwarf_Die unit;
  if (path == nullptr || attribute == nullptr) return 0;
  const bool known = dwarf_cu_die(attribute->cu, &unit, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != nullptr;
  return tables.file(known ? compilationDirectory(&unit) : nullptr, path);
}

}  // namespace

const char* compilationDirectory(Dwarf_Die* unit) {
  Dwarf_Attribute memory;
  return dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &memory));
}

uint32_t FunctionNames::functionOf(Dwarf_Die* entry) {
  const auto found = known_.find(entry->addr);
  if (found != known_.end()) return found->second;
  const uint32_t function = describe(entry);
  if (known_.size() >= MAX_REMEMBERED) known_.clear();
  known_.emplace(entry->addr, function);
  return function;
}

uint32_t FunctionNames::describe(Dwarf_Die* entry) {
  const char* linked = stringOf(entry, DW_AT_linkage_name);
  if (linked == nullptr) linked = stringOf(entry, DW_AT_MIPS_linkage_name);
  const char* plain = dwarf_diename(entry);
  int line = 0;
  if (dwarf_decl_line(entry, &line) != 0 || line < 0) line = 0;
  const uint32_t file = fileOf(entry, tables_);
  const char* name = linked != nullptr ? linked : plain != nullptr ? plain : "";
  uint32_t shown = 0;
  if (linked == nullptr && plain != nullptr && isNested(entry)) {
    const std::string_view prefix = prefixOf(entry);
    if (!prefix.empty()) shown = tables_.strings.intern(std::string(prefix) + plain);
  }
  return tables_.functions.intern({tables_.strings.intern(name), shown, file, static_cast<uint32_t>(line)});
}

std::string_view FunctionNames::prefixOf(Dwarf_Die* entry) {
  Dwarf_Die declaration = declarationOf(entry);
  Scopes* scopes = nullptr;
  for (Scopes& one : scopes_)
    if (one.unit == declaration.cu) scopes = &one;
  if (scopes == nullptr) {
    if (scopes_.size() >= UNITS_REMEMBERED) scopes_.pop_front();
    scopes = &scopes_.emplace_back(Scopes{declaration.cu, {}});
    Dwarf_Die unit;
    if (dwarf_cu_die(declaration.cu, &unit, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != nullptr)
      collect(&unit, "", *scopes, 0);
  }
  const auto found = scopes->prefixOf.find(declaration.addr);
  return found == scopes->prefixOf.end() ? std::string_view{} : tables_.strings.at(found->second);
}

void FunctionNames::collect(Dwarf_Die* parent, const std::string& prefix, Scopes& scopes, unsigned depth) {
  Dwarf_Die child;
  if (depth >= MAX_DEPTH || dwarf_child(parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_lexical_block) {
      collect(&child, prefix, scopes, depth + 1);
      continue;
    }
    if (tag == DW_TAG_subprogram && !prefix.empty())
      scopes.prefixOf.emplace(child.addr, tables_.strings.intern(prefix));
    if (!namesWhatIsInside(tag)) continue;
    const char* name = dwarf_diename(&child);
    const std::string inner =
        prefix + (name != nullptr ? name : tag == DW_TAG_namespace ? "(anonymous namespace)" : "(anonymous)") + "::";
    if (inner.size() <= MAX_NAME_BYTES) collect(&child, inner, scopes, depth + 1);
  } while (dwarf_siblingof(&child, &child) == 0);
}

void FunctionNames::forget() {
  known_.clear();
  scopes_.clear();
}

}  // namespace fleetflame::symbols

// SPDX-License-Identifier: Apache-2.0
#include "unit-scopes.h"

#include <dwarf.h>

#include <algorithm>

namespace fleetflame::symbols {

namespace {

constexpr uint32_t NOT_ASKED = UINT32_MAX;

/// Parts of `inner` within `outer`; both are sorted and do not overlap.
std::vector<CodeArea> common(const std::vector<CodeArea>& inner, const std::vector<CodeArea>& outer) {
  std::vector<CodeArea> result;
  auto at = outer.begin();
  for (const CodeArea& area : inner) {
    at = std::partition_point(at, outer.end(), [&](const CodeArea& one) { return one.end <= area.start; });
    for (auto one = at; one != outer.end() && one->start < area.end; ++one)
      result.push_back({std::max(one->start, area.start), std::min(one->end, area.end)});
  }
  return result;
}

uint32_t numberOf(Dwarf_Die* entry, unsigned name) {
  Dwarf_Attribute memory;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(entry, name, &memory), &value) != 0 || value > INT32_MAX) return 0;
  return static_cast<uint32_t>(value);
}

}  // namespace

void UnitScopes::read(Dwarf_Die* unit) {
  scopes_.clear();
  areas_.clear();
  files_ = nullptr;
  fileCount_ = 0;
  if (dwarf_getsrcfiles(unit, &files_, &fileCount_) != 0) fileCount_ = 0;
  fileNumbers_.assign(fileCount_, NOT_ASKED);
  directory_ = compilationDirectory(unit);
  children(unit, {nullptr, 0, 0, 0});
  std::sort(areas_.begin(), areas_.end(), [](const CodeArea& a, const CodeArea& b) { return a.start < b.start; });
  flatten();
}

void UnitScopes::children(Dwarf_Die* parent, const Place& place) {
  Dwarf_Die child;
  if (place.depth >= MAX_DEPTH) {
    tables_.tooDeep++;
    return;
  }
  if (dwarf_child(parent, &child) != 0) return;
  do {
    if (++entries_ > tables_.limits.entries)
      throw Refused("its debug information has more than " + std::to_string(tables_.limits.entries) + " entries");
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram:
        function(&child, place);
        break;
      case DW_TAG_inlined_subroutine:
        inlined(&child, place);
        break;
      case DW_TAG_lexical_block:
      case DW_TAG_try_block:
      case DW_TAG_catch_block:
      case DW_TAG_with_stmt:
      case DW_TAG_namespace:
      case DW_TAG_module:
      // Functions stand in the types that they belong to, in Rust also with their code.
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
      case DW_TAG_enumeration_type: {
        Place inside = place;
        inside.depth++;
        children(&child, inside);
        break;
      }
      default:
        break;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

void UnitScopes::function(Dwarf_Die* entry, const Place& place) {
  const Areas areas = areasOf(entry);
  if (areas.empty()) {
    // A declaration or an abstract instance. Functions with code may stand in it, of its local classes.
    children(entry, {nullptr, 0, 0, place.depth + 1});
    return;
  }
  const uint32_t function = names_.functionOf(entry);
  const bool named = names_.hasName(function);
  if (!named) tables_.unnamedFunctions++;
  for (const CodeArea& area : areas) {
    areas_.push_back(area);
    scopes_.push_back({area.start, area.end, 0, place.depth});
    if (named) tables_.ranges.push_back({area.start, area.end, function});
  }
  if (tables_.ranges.size() > tables_.limits.ranges)
    throw Refused("it has more than " + std::to_string(tables_.limits.ranges) + " pieces of functions");
  children(entry, {&areas, 0, 0, place.depth + 1});
}

void UnitScopes::inlined(Dwarf_Die* entry, const Place& place) {
  Areas areas;
  if (place.around != nullptr) areas = common(areasOf(entry), *place.around);
  // Without code of its own: a call whose result was computed by the compiler.
  if (areas.empty()) return;
  if (place.inlineDepth >= MAX_INLINE_DEPTH) {
    tables_.tooDeep++;
    return;
  }
  const uint32_t function = names_.functionOf(entry);
  if (!names_.hasName(function)) tables_.unnamedFunctions++;
  const uint32_t call =
      tables_.calls.intern({function, place.call, callFile(entry), numberOf(entry, DW_AT_call_line)}) + 1;
  for (const CodeArea& area : areas) scopes_.push_back({area.start, area.end, call, place.depth});
  if (scopes_.size() > tables_.limits.rowsOfUnit) throw Refused("one of its units has too many inlined calls");
  children(entry, {&areas, call, place.inlineDepth + 1, place.depth + 1});
}

/// Sorted, without overlaps, only where there is code.
UnitScopes::Areas UnitScopes::areasOf(Dwarf_Die* entry) {
  Areas areas;
  Dwarf_Addr base;
  Dwarf_Addr start;
  Dwarf_Addr end;
  ptrdiff_t offset = 0;
  size_t count = 0;
  while ((offset = dwarf_ranges(entry, offset, &base, &start, &end)) > 0) {
    if (++count > tables_.limits.rangesOfEntry) throw Refused("one of its functions has too many pieces");
    const CodeArea area = file_.clip(start, end);
    if (area.end > area.start) areas.push_back(area);
  }
  if (areas.size() < 2) return areas;
  std::sort(areas.begin(), areas.end(), [](const CodeArea& a, const CodeArea& b) { return a.start < b.start; });
  size_t last = 0;
  for (size_t at = 1; at < areas.size(); at++) {
    if (areas[at].start <= areas[last].end) areas[last].end = std::max(areas[last].end, areas[at].end);
    else areas[++last] = areas[at];
  }
  areas.resize(last + 1);
  return areas;
}

uint32_t UnitScopes::callFile(Dwarf_Die* entry) {
  const uint32_t index = numberOf(entry, DW_AT_call_file);
  if (index >= fileCount_) return 0;
  uint32_t& number = fileNumbers_[index];
  if (number == NOT_ASKED) number = tables_.file(directory_, dwarf_filesrc(files_, index, nullptr, nullptr));
  return number;
}

/// Walks the addresses with a stack of the scopes that are open; the innermost owns each address.
void UnitScopes::flatten() {
  runs_.clear();
  // Of one start, what is inside comes later.
  std::stable_sort(scopes_.begin(), scopes_.end(), [](const Scope& a, const Scope& b) {
    return a.start != b.start ? a.start < b.start : a.depth < b.depth;
  });
  std::vector<const Scope*> open;
  uint64_t position = 0;
  const auto put = [&](uint64_t address, uint32_t call) {
    if (!runs_.empty() && runs_.back().address == address) runs_.pop_back();
    const uint32_t before = runs_.empty() ? 0 : runs_.back().call;
    if (before != call) runs_.push_back({address, call});
  };
  const auto emitUpTo = [&](uint64_t limit) {
    while (position < limit && !open.empty()) {
      const Scope* top = open.back();
      if (top->end <= position) {
        open.pop_back();
        continue;
      }
      put(position, top->call);
      position = std::min(top->end, limit);
    }
    if (position < limit) put(position, 0);
    position = limit;
  };
  for (const Scope& scope : scopes_) {
    emitUpTo(scope.start);
    open.push_back(&scope);
  }
  emitUpTo(UINT64_MAX);
}

}  // namespace fleetflame::symbols

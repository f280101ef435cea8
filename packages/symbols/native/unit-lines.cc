// SPDX-License-Identifier: Apache-2.0
#include "unit-lines.h"

#include <algorithm>

namespace fleetflame::symbols {

namespace {

/// What libdw keeps for one row: its Dwarf_Line and the pointer that it was sorted by.
constexpr size_t LIBDW_BYTES_PER_LINE = 64;

/// The last element that begins at or before the address; end() without one.
template <typename Rows>
auto lastAt(const Rows& rows, uint64_t address) {
  const auto after = std::upper_bound(rows.begin(), rows.end(), address,
                                      [](uint64_t wanted, const auto& row) { return wanted < row.address; });
  return after == rows.begin() ? rows.end() : std::prev(after);
}

}  // namespace

size_t UnitLines::read(Dwarf_Die* unit, const UnitScopes& scopes) {
  Dwarf_Lines* lines = nullptr;
  size_t count = 0;
  lines_.clear();
  if (dwarf_getsrclines(unit, &lines, &count) == 0) readLines(lines, count, compilationDirectory(unit));
  for (const CodeArea& area : liveAreas(unit, scopes)) join(area, scopes.runs());
  return count * LIBDW_BYTES_PER_LINE;
}

void UnitLines::readLines(Dwarf_Lines* lines, size_t count, const char* directory) {
  if (count > tables_.limits.rowsOfUnit) throw Refused("one of its units has too many lines");
  files_.clear();
  const char* lastPath = nullptr;
  uint32_t lastFile = 0;
  for (size_t index = 0; index < count; index++) {
    Dwarf_Line* line = dwarf_onesrcline(lines, index);
    Dwarf_Addr address = 0;
    bool ends = false;
    if (dwarf_lineaddr(line, &address) != 0 || dwarf_lineendsequence(line, &ends) != 0) continue;
    LineRow row{address, 0, 0};
    if (!ends) {
      // libdw hands out the same pointer for the same file of a unit.
      const char* path = dwarf_linesrc(line, nullptr, nullptr);
      if (path != lastPath) {
        lastPath = path;
        const auto [known, isNew] = files_.emplace(path, 0);
        if (isNew) known->second = tables_.file(directory, path);
        lastFile = known->second;
      }
      int number = 0;
      if (dwarf_lineno(line, &number) != 0 || number < 0) number = 0;
      row.file = lastFile;
      row.line = static_cast<uint32_t>(number);
    }
    // libdw sorts by address. The last of several rows at one address is the one that holds.
    if (!lines_.empty() && lines_.back().address == address) lines_.back() = row;
    else if (lines_.empty() || lines_.back().address < address) lines_.push_back(row);
  }
}

/// Where the unit has code that the linker kept: of what it dropped, lines are left at addresses near 0.
std::vector<CodeArea> UnitLines::liveAreas(Dwarf_Die* unit, const UnitScopes& scopes) const {
  std::vector<CodeArea> areas = scopes.functionAreas();
  Dwarf_Addr base;
  Dwarf_Addr start;
  Dwarf_Addr end;
  ptrdiff_t offset = 0;
  size_t count = 0;
  while ((offset = dwarf_ranges(unit, offset, &base, &start, &end)) > 0) {
    if (++count > tables_.limits.ranges) throw Refused("one of its units has too many pieces");
    const CodeArea area = file_.clip(start, end);
    if (area.end > area.start) areas.push_back(area);
  }
  std::sort(areas.begin(), areas.end(), [](const CodeArea& a, const CodeArea& b) { return a.start < b.start; });
  std::vector<CodeArea> joined;
  for (const CodeArea& area : areas) {
    if (!joined.empty() && area.start <= joined.back().end) joined.back().end = std::max(joined.back().end, area.end);
    else joined.push_back(area);
  }
  return joined;
}

void UnitLines::join(const CodeArea& area, const std::vector<CallRun>& runs) {
  auto line = lastAt(lines_, area.start);
  auto run = lastAt(runs, area.start);
  auto nextLine = line == lines_.end() ? lines_.begin() : std::next(line);
  auto nextRun = run == runs.end() ? runs.begin() : std::next(run);
  piece_.clear();
  uint64_t position = area.start;
  while (position < area.end) {
    Row row{position, 0, 0, 0};
    if (run != runs.end()) row.call = run->call;
    if (line != lines_.end()) {
      row.file = line->file;
      row.line = line->line;
    }
    if (row.saysNothing()) flush(piece_, position);
    else if (piece_.empty() || !row.saysAs(piece_.back())) piece_.push_back(row);
    uint64_t next = area.end;
    if (nextLine != lines_.end()) next = std::min(next, nextLine->address);
    if (nextRun != runs.end()) next = std::min(next, nextRun->address);
    if (nextLine != lines_.end() && nextLine->address == next) line = nextLine++;
    if (nextRun != runs.end() && nextRun->address == next) run = nextRun++;
    position = next;
  }
  flush(piece_, area.end);
}

void UnitLines::flush(std::vector<Row>& piece, uint64_t end) {
  tables_.rowCount += tables_.rows.add(piece, end);
  piece.clear();
}

}  // namespace fleetflame::symbols

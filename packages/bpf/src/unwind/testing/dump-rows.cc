// SPDX-License-Identifier: Apache-2.0
//
// Prints the table of a file, expanded from its compact form: what the tests compare with readelf.
//
//   dump-rows [--summary] [--debug DEBUG-FILE] FILE
//
//   START-END rsp+16 rbp=c-16 rbx=s ra=c-8      one line per row, hexadecimal
//   {"rows":28616,...}                          the last line: statistics
//
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "../build.h"

namespace {

using namespace fleetflame::unwind;

void printRows(const UnwindTable& table, uint64_t end) {
  std::vector<std::string> rules;
  for (const Rule& rule : table.rules) rules.push_back(describe(rule));
  size_t page = 0;
  uint64_t start = 0;
  uint16_t rule = 0;
  for (size_t i = 0; i <= table.rows.size(); i++) {
    while (page + 2 < table.pages.size() && table.pages[page + 1] <= i) page++;
    const bool last = i == table.rows.size();
    const uint64_t next = last ? end : table.base + (page << UnwindTable::PAGE_BITS) + UnwindTable::addressLow(table.rows[i]);
    if (i > 0 && next > start) {
      std::printf("%llx-%llx %s\n", static_cast<unsigned long long>(start), static_cast<unsigned long long>(next), rules[rule].c_str());
    }
    if (last) break;
    start = next;
    rule = UnwindTable::ruleIndex(table.rows[i]);
  }
}

void printStatistics(Refusal refusal, const UnwindTable& table, double milliseconds) {
  const Statistics& s = table.statistics;
  const auto number = [](const char* name, uint64_t value) { std::printf("\"%s\":%llu,", name, static_cast<unsigned long long>(value)); };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"refusal\":\"%s\",", nameOf(refusal));
  number("rows", table.rows.size());
  number("rules", table.rules.size());
  number("bytes", table.bytes());
  number("functions", s.functions);
  number("debugFrameFunctions", s.debugFrameFunctions);
  number("overlaps", s.overlaps);
  number("outsideCode", s.outsideCode);
  number("skipped", s.skipped);
  number("damagedSections", s.damagedSections);
  number("signalFunctions", s.signalFunctions);
  number("statesSeen", s.statesSeen);
  number("peakBytes", s.peakBytes);
  number("isGo", s.isGo);
  number("residentBytes", static_cast<uint64_t>(usage.ru_maxrss) << 10);
  for (size_t i = 0; i < UNSUPPORTED; i++) {
    number((std::string("unsupported:") + nameOf(static_cast<Unsupported>(i))).c_str(), s.unsupportedRows[i]);
  }
  std::printf("\"milliseconds\":%.3f}\n", milliseconds);
}

struct Input {
  explicit Input(const char* path) : source(open(path, O_RDONLY | O_CLOEXEC)), elf(source) {}
  FileSource source;
  ElfReader elf;
};

}  // namespace

int main(int argc, char** argv) {
  bool summary = false;
  const char* debugPath = nullptr;
  const char* path = nullptr;
  for (int i = 1; i < argc; i++) {
    if (std::strcmp(argv[i], "--summary") == 0) {
      summary = true;
    } else if (std::strcmp(argv[i], "--debug") == 0 && i + 1 < argc) {
      debugPath = argv[++i];
    } else {
      path = argv[i];
    }
  }
  if (path == nullptr) return 2;
  const auto begin = std::chrono::steady_clock::now();
  Input input(path);
  Input debug(debugPath == nullptr ? "/dev/null" : debugPath);
  UnwindTable table;
  Refusal refusal = input.elf.open();
  const bool hasDebug = debugPath != nullptr && debug.elf.open() == Refusal::None;
  if (refusal == Refusal::None) refusal = build(input.elf, Limits{}, table, hasDebug ? &debug.elf : nullptr);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  if (!summary && refusal == Refusal::None) printRows(table, input.elf.codeEnd());
  printStatistics(refusal, table, spent.count());
}

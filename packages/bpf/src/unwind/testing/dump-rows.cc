// SPDX-License-Identifier: Apache-2.0
//
// Prints the table of a file, expanded from its compact form: what the tests compare with readelf.
//
//   dump-rows [OPTION VALUE ...] FILE
//
//   --rows 0                only the statistics
//   --debug FILE            the binary's separate debug file
//   --max-rows, --max-functions, --max-bytes, --max-inflated N
//   --write-cache DIR, --read-cache DIR    with --build-id ID: through the cache
//   --write-vdso PATH       writes this process's vDSO, and reads it from memory: FILE is ignored
//
//   START-END rsp+16 rbp=c-16 rbx=s ra=c-8      one line per row, hexadecimal
//   {"rows":28616,...}                          the last line: statistics
//
#include <fcntl.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>

#include "../build.h"
#include "../cache-file.h"

namespace {

using namespace fleetflame::unwind;

[[noreturn]] void fail(const char* what) {
  std::printf("%s\n", what);
  std::exit(1);
}

void printRange(const UnwindTable& table, uint64_t start, uint64_t end, uint16_t rule, const std::string& text) {
  if (end <= start) return;
  // What the search finds is what the rows say.
  for (const uint64_t address : {start, start + (end - start) / 2, end - 1}) {
    if (&table.find(address) != &table.rules[rule]) fail("the search finds another rule than the rows say");
  }
  std::printf("%llx-%llx %s\n", static_cast<unsigned long long>(start), static_cast<unsigned long long>(end), text.c_str());
}

void printRows(const UnwindTable& table, uint64_t end) {
  std::vector<std::string> rules;
  for (const Rule& rule : table.rules) rules.push_back(describe(rule));
  uint64_t start = 0;
  uint16_t rule = 0;
  bool first = true;
  for (size_t page = 0; page + 1 < table.pages.size(); page++) {
    for (uint32_t i = table.pages[page]; i < table.pages[page + 1]; i++) {
      const uint64_t next = table.base + (page << UnwindTable::PAGE_BITS) + UnwindTable::addressLow(table.rows[i]);
      if (!first) printRange(table, start, next, rule, rules[rule]);
      first = false;
      start = next;
      rule = UnwindTable::ruleIndex(table.rows[i]);
    }
  }
  if (!first) printRange(table, start, end, rule, rules[rule]);
}

/// Of this program only: what getrusage says begins with the parent's.
uint64_t highestResidentBytes() {
  std::FILE* status = std::fopen("/proc/self/status", "re");
  char line[256];
  unsigned long long kilobytes = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1) break;
  }
  if (status != nullptr) std::fclose(status);
  return uint64_t{kilobytes} << 10;
}

void printStatistics(const char* result, const UnwindTable& table, double milliseconds) {
  const Statistics& s = table.statistics;
  const auto number = [](const char* name, uint64_t value) { std::printf("\"%s\":%llu,", name, static_cast<unsigned long long>(value)); };
  uint64_t indirect = 0;
  for (const Rule& rule : table.rules) indirect += rule.cfa_kind == CFA_DEREF || rule.cfa_kind == CFA_DEREF_INDEXED;
  std::printf("{\"result\":\"%s\",", result);
  number("rows", table.rows.size());
  number("rules", table.rules.size());
  number("derefRules", indirect);
  number("bytes", table.bytes());
  number("functions", s.functions);
  number("debugFrameFunctions", s.debugFrameFunctions);
  number("goFunctions", s.goFunctions);
  number("overlaps", s.overlaps);
  number("outsideCode", s.outsideCode);
  number("skipped", s.skipped);
  number("damagedSections", s.damagedSections);
  number("signalFunctions", s.signalFunctions);
  number("statesSeen", s.statesSeen);
  number("peakBytes", s.peakBytes);
  number("isGo", s.isGo);
  number("residentBytes", highestResidentBytes());
  for (size_t i = 0; i < UNSUPPORTED; i++) number(nameOf(static_cast<Unsupported>(i)), s.unsupportedRows[i]);
  std::printf("\"milliseconds\":%.3f}\n", milliseconds);
}

/// The vDSO of this process: an ELF file in memory, whose size only the list of mappings says.
std::vector<uint8_t> vdso() {
  const auto start = static_cast<uint64_t>(getauxval(AT_SYSINFO_EHDR));
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[512];
  unsigned long long from = 0;
  unsigned long long to = 0;
  while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::sscanf(line, "%llx-%llx", &from, &to) == 2 && from == start) break;
  }
  if (maps == nullptr || from != start) fail("this process has no vDSO");
  std::fclose(maps);
  const auto* bytes = reinterpret_cast<const uint8_t*>(start);
  return {bytes, bytes + (to - from)};
}

void writeFile(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) fail("cannot write");
  std::fclose(file);
}

/// Processor time: what else runs on the machine does not count.
double cpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

using Options = std::map<std::string, std::string>;

uint64_t number(const Options& options, const char* name, uint64_t otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
}

std::string text(const Options& options, const char* name) {
  const auto found = options.find(name);
  return found == options.end() ? "" : found->second;
}

std::unique_ptr<FileSource> openFile(const std::string& path) {
  return std::make_unique<FileSource>(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at + 1 < argc && std::strncmp(argv[at], "--", 2) == 0; at += 2) options[argv[at]] = argv[at + 1];
  if (at >= argc) fail("usage: dump-rows [OPTION VALUE ...] FILE");

  Limits limits;
  limits.maxRows = number(options, "--max-rows", limits.maxRows);
  limits.maxFunctions = number(options, "--max-functions", limits.maxFunctions);
  limits.maxBytes = number(options, "--max-bytes", limits.maxBytes);
  limits.maxInflatedBytes = number(options, "--max-inflated", limits.maxInflatedBytes);

  const double begin = cpuMilliseconds();
  std::vector<uint8_t> memory;
  std::unique_ptr<ByteSource> source = openFile(argv[at]);
  if (const std::string path = text(options, "--write-vdso"); !path.empty()) {
    memory = vdso();
    writeFile(path, memory);
    source = std::make_unique<MemorySource>(memory.data(), memory.size());
  }
  ElfReader elf(*source);
  UnwindTable table;
  Refusal refusal = elf.open();
  const std::string buildId = text(options, "--build-id");
  const std::string cache = text(options, "--read-cache");
  if (!cache.empty() && !readCacheFile(cache, buildId, limits.maxBytes, table)) {
    printStatistics("no_cache_file", table, 0);
    return 0;
  }
  if (refusal == Refusal::None && cache.empty()) {
    const auto debugSource = openFile(text(options, "--debug"));
    ElfReader debug(*debugSource);
    const bool hasDebug = options.count("--debug") != 0 && debug.open() == Refusal::None;
    refusal = build(elf, limits, table, hasDebug ? &debug : nullptr);
  }
  const double spent = cpuMilliseconds() - begin;
  const std::string target = text(options, "--write-cache");
  if (!target.empty() && !writeCacheFile(target, buildId, table)) fail("cannot write the cache file");
  if (refusal == Refusal::None && number(options, "--rows", 1) != 0) printRows(table, elf.codeEnd());
  printStatistics(nameOf(refusal), table, spent);
}

// SPDX-License-Identifier: Apache-2.0
//
// Feeds the readers of foreign bytes with damaged input, and the tables with random operations that
// are checked against a simple model. Built with the address and undefined-behaviour sanitizers by
// fuzz.test.ts; ends with status 1 and a sentence when something is wrong.
//
//   fuzz SEED ROUNDS
//
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <linux/perf_event.h>
#include <map>
#include <random>

#include "../build-id.h"
#include "../cpu-list.h"
#include "../event-queue.h"
#include "../fold-table.h"
#include "../mapping-list.h"
#include "../perf-record.h"
#include "../proc-text.h"
#include "../range-pool.h"
#include "../sample-record.h"
#include "../table-image.h"
#include "../../unwind/table-writer.h"

namespace {

using namespace fleetflame;
using Bytes = std::vector<uint8_t>;

std::mt19937_64 random64;

uint64_t below(uint64_t limit) { return random64() % limit; }

[[noreturn]] void fail(const char* what) {
  std::printf("%s\n", what);
  std::exit(1);
}

void expect(bool condition, const char* what) {
  if (!condition) fail(what);
}

/// Flips, cuts, repeats or overwrites pieces. A copy of exact size, so that the sanitizer sees every
/// byte read past the end.
Bytes damage(Bytes bytes) {
  for (uint64_t times = below(4); times > 0 && !bytes.empty(); times--) {
    const size_t at = below(bytes.size());
    switch (below(4)) {
      case 0:
        bytes[at] ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(at));
        break;
      default:
        for (size_t i = at; i < bytes.size() && i < at + 8; i++) bytes[i] = below(2) ? 0xff : 0;
    }
  }
  return Bytes(bytes.begin(), bytes.end());
}

template <typename T>
void put(Bytes& bytes, const T& value) {
  const auto* raw = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof value);
}

Bytes perfRecord() {
  constexpr uint16_t TYPES[] = {PERF_RECORD_MMAP2, PERF_RECORD_COMM, PERF_RECORD_FORK, PERF_RECORD_EXIT, PERF_RECORD_LOST};
  Bytes bytes;
  const uint32_t type = TYPES[below(5)];
  const uint16_t misc = below(2) ? (1 << 14) | PERF_RECORD_MISC_COMM_EXEC : 0;
  put(bytes, perf_event_header{type, misc, 0});
  for (uint64_t words = type == PERF_RECORD_MMAP2 ? 8 : below(6); words > 0; words--) put(bytes, random64());
  const char path[] = "/usr/lib/libexample.so.6\0\0\0\0\0\0\0";
  bytes.insert(bytes.end(), path, path + sizeof path);
  put(bytes, random64());
  return bytes;
}

void fuzzPerfRecord() {
  const Bytes bytes = damage(perfRecord());
  ProcessRecord record;
  if (!parsePerfRecord(bytes, record)) return;
  const std::string text(record.text);
  expect(text.size() <= bytes.size(), "a record's text is longer than the record");
  expect(toHex(record.buildId).size() <= 2 * MAX_BUILD_ID_BYTES, "a build id is too long");
}

void fuzzSampleRecord() {
  Bytes bytes;
  sample_record sample{};
  sample.kernel_depth = static_cast<uint16_t>(below(4) ? below(128) : below(65536));
  sample.user_depth = static_cast<uint16_t>(below(128));
  std::memset(sample.comm, 'x', sizeof sample.comm);
  const size_t size = SAMPLE_HEADER_BYTES + 8 * ((sample.kernel_depth + sample.user_depth) & (FRAME_SLOTS - 1));
  bytes.resize(size);
  std::memcpy(bytes.data(), &sample, size);
  bytes = damage(bytes);
  SampleRecord record;
  if (!SampleRecord::parse(bytes, record)) return;
  uint64_t sum = record.comm().size();
  for (const __u64 frame : record.kernelFrames()) sum += frame;
  for (const __u64 frame : record.userFrames()) sum += frame;
  expect(record.kernelFrames().size() + record.userFrames().size() <= FRAME_SLOTS, "too many frames");
  expect(sum < UINT64_MAX, "frames are read");
}

std::string damagedText(const char* text) {
  const Bytes bytes = damage(Bytes(text, text + std::strlen(text)));
  return {bytes.begin(), bytes.end()};
}

void fuzzProcText() {
  const std::string maps = damagedText(
      "55d0c8a00000-55d0c8a2e000 r--p 00000000 fe:00 131 /usr/bin/bash\n"
      "55d0c8a2e000-55d0c8aee000 r-xp 0002e000 fe:00 131                        /usr/bin/a\\012b (deleted)\n"
      "7ffd5a9f0000-7ffd5a9f2000 r-xp 00000000 00:00 0                          [vdso]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
  std::string_view rest = maps;
  MapsLine line;
  while (nextExecutableLine(rest, line)) expect(line.start < line.end, "an empty mapping");
  StatLine stat;
  const std::string text = damagedText("123 (a) b (c)) S 1 123 123 0 -1 4194560 1 2 3 4\n");
  if (parseStat(text, stat)) expect(stat.parentPid <= MAX_PID, "a parent that cannot be");
  for (const int cpu : parseCpuList(damagedText("0-3,5,8-11\n"))) expect(cpu >= 0 && cpu <= MAX_CPU, "a CPU that cannot be");
}

Bytes elfFile() {
  Bytes bytes;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  put(bytes, header);
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = 2 * sizeof(Elf64_Nhdr) + 2 * 4 + 4 + 20;
  put(bytes, segment);
  put(bytes, Elf64_Nhdr{4, 4, NT_GNU_ABI_TAG});
  put(bytes, std::array<char, 8>{'G', 'N', 'U', 0, 1, 2, 3, 4});
  put(bytes, Elf64_Nhdr{4, 20, NT_GNU_BUILD_ID});
  put(bytes, std::array<char, 4>{'G', 'N', 'U', 0});
  for (uint8_t i = 0; i < 20; i++) bytes.push_back(i);
  return bytes;
}

std::string buildIdOf(const Bytes& bytes) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) fail("memfd");
  unwind::FileSource file(fd);
  const std::string id = readBuildId(file);
  close(fd);
  return id;
}

void fuzzBuildId() {
  expect(buildIdOf(elfFile()) == "000102030405060708090a0b0c0d0e0f10111213", "the build id of a sound file");
  expect(buildIdOf(damage(elfFile())).size() <= 2 * MAX_BUILD_ID_BYTES, "a build id is too long");
}

/// Mappings against one entry per page.
void fuzzMappingList() {
  constexpr uint64_t PAGES = 64;
  MappingList list;
  std::map<uint64_t, std::pair<uint32_t, uint64_t>> model;
  for (uint64_t times = below(60); times > 0; times--) {
    const uint64_t start = below(PAGES);
    const uint64_t end = start + below(PAGES / 4);
    const uint64_t offset = below(1000);
    const auto binary = static_cast<uint32_t>(below(4) == 0 ? ANONYMOUS_BINARY : FIRST_FILE_BINARY + below(5));
    expect(list.insert({start, end, offset, binary}), "a small list is full");
    for (uint64_t page = start; page < end; page++) model[page] = {binary, offset + (page - start)};
  }
  for (uint64_t page = 0; page < 2 * PAGES; page++) {
    const Mapping* found = list.find(page);
    const auto expected = model.find(page);
    expect((found != nullptr) == (expected != model.end()), "a mapping is missing or too many");
    if (!found) continue;
    expect(found->binary == expected->second.first, "the wrong mapping");
    // Joined anonymous mappings have no file offset.
    if (found->binary == ANONYMOUS_BINARY) continue;
    expect(page - found->start + found->fileOffset == expected->second.second, "the wrong file offset");
  }
}

/// Replay against a sort; every event comes once.
void fuzzEventQueue() {
  EventQueue queue;
  uint64_t added = 0;
  uint64_t seen = 0;
  for (uint64_t until = 100; until <= 500; until += 100) {
    for (uint64_t times = below(50); times > 0; times--, added++) {
      const uint64_t time = below(until + 50);
      Bytes bytes;
      put(bytes, time);
      const size_t cut = below(bytes.size() + 1);
      queue.add(below(2) ? EventQueue::Kind::sample : EventQueue::Kind::process, time,
                std::span(bytes).first(cut), std::span(bytes).subspan(cut));
    }
    uint64_t last = 0;
    queue.replay(until, [&](EventQueue::Kind, std::span<const uint8_t> bytes) {
      uint64_t time = 0;
      expect(bytes.size() == sizeof time, "an event of the wrong size");
      std::memcpy(&time, bytes.data(), sizeof time);
      expect(time <= until && time >= last, "events out of order");
      last = time;
      seen++;
    });
  }
  queue.replay(UINT64_MAX, [&](EventQueue::Kind, std::span<const uint8_t>) { seen++; });
  expect(seen == added && queue.size() == 0, "events lost or doubled");
}

/// Counts against a map from the printed sample.
void fuzzFoldTable() {
  const size_t maxRows = 1 + below(200);
  FoldTable table(maxRows);
  std::map<std::string, uint32_t> model;
  for (uint64_t times = below(600); times > 0; times--) {
    std::vector<Frame> frames;
    for (uint64_t depth = below(4); depth > 0; depth--) {
      frames.push_back({below(3), static_cast<uint32_t>(below(2)), below(2) == 1});
    }
    const std::string comm(1 + below(2), 'c');
    const SampleKey key{static_cast<uint32_t>(below(3)), comm, static_cast<int64_t>(below(2)), static_cast<uint8_t>(below(2))};
    std::string print = std::to_string(key.pid) + comm + std::to_string(key.second) + std::to_string(key.flags);
    for (const Frame& frame : frames) {
      print += ' ' + std::to_string(frame.address) + ',' + std::to_string(frame.binary) + ',' + std::to_string(frame.isReturn);
    }
    const bool known = model.contains(print);
    const bool added = table.add(key, frames);
    expect(added || !known, "a sample of a known row was refused");
    expect(added || model.size() == maxRows || table.frameAddress.size() + frames.size() > maxRows * FoldTable::MAX_FRAMES_PER_ROW,
           "a row was refused although there was room");
    if (added) model[print]++;
  }
  expect(table.count.size() == model.size() && model.size() <= maxRows, "the number of rows");
  for (size_t row = 0; row < table.count.size(); row++) {
    std::string print = std::to_string(table.pid[row]) + table.comms[table.comm[row]] +
                        std::to_string(table.second[row]) + std::to_string(table.flags[row]);
    for (uint32_t at = table.stackStart[row]; at < table.stackStart[row + 1]; at++) {
      print += ' ' + std::to_string(table.frameAddress[at]) + ',' + std::to_string(table.frameBinary[at]) + ',' +
               std::to_string(table.frameIsReturn[at] != 0);
    }
    expect(model[print] == table.count[row], "the count of a row");
  }
}

/// A table with rows at random distances, seen through one or two segments.
void fuzzTableImage() {
  unwind::UnwindTable table;
  table.base = below(3) << 12;
  const uint32_t codeBytes = 1 + static_cast<uint32_t>(below(below(2) ? 300 : 1 << 20));
  unwind::TableWriter writer(table, {1 << 20, 1 << 24}, codeBytes);
  for (uint32_t address = 0; address < codeBytes; address += 1 + static_cast<uint32_t>(below(below(9) ? 40 : 200000))) {
    unwind_rule rule{};
    rule.cfa_kind = CFA_REGISTER;
    rule.cfa_offset = static_cast<int32_t>(below(300));
    expect(writer.add(address, rule) == unwind::Refusal::None, "a row was refused");
  }
  writer.finish();
  const uint64_t cut = below(2) ? codeBytes : below(codeBytes);
  const uint64_t shift = below(2) << 12;
  std::vector<unwind::ElfReader::Segment> segments{{table.base, 64, cut, cut, true},
                                                   {table.base + cut, 64 + cut + shift, codeBytes - cut, codeBytes - cut, true}};
  TableImage image;
  expect(toTableImage(table, segments, image), "a table has no image");
  for (int i = 0; i < 200; i++) {
    const uint64_t inside = below(codeBytes);
    const uint64_t offset = 64 + inside + (inside < cut ? 0 : shift);
    const unwind::Rule& found = *findRule(image, static_cast<uint32_t>(offset));
    const unwind::Rule& wanted = table.find(table.base + inside);
    expect(std::memcmp(&found, &wanted, sizeof found) == 0, "the rule of an address");
  }
  expect(findRule(image, 63)->cfa_kind == CFA_NONE, "a rule before the code");
  expect(findRule(image, static_cast<uint32_t>(64 + codeBytes + shift))->cfa_kind == CFA_NONE, "a rule after the code");
}

/// Ranges never overlap, and everything that is given back can be taken again.
void fuzzRangePool() {
  const uint32_t size = 1 + static_cast<uint32_t>(below(200));
  RangePool pool(size);
  std::map<uint32_t, uint32_t> taken;
  uint32_t used = 0;
  for (int i = 0; i < 200; i++) {
    if (below(2) && !taken.empty()) {
      const auto at = std::next(taken.begin(), static_cast<ptrdiff_t>(below(taken.size())));
      pool.give(at->first, at->second);
      used -= at->second;
      taken.erase(at);
      continue;
    }
    const uint32_t count = 1 + static_cast<uint32_t>(below(30));
    const auto first = pool.take(count);
    if (!first) continue;
    const auto next = taken.lower_bound(*first);
    expect(*first + count <= size && (next == taken.end() || *first + count <= next->first), "a range overlaps the next");
    expect(next == taken.begin() || std::prev(next)->first + std::prev(next)->second <= *first, "a range overlaps another");
    taken.emplace(*first, count);
    used += count;
  }
  expect(pool.used() == used, "the ranges that are taken");
  for (const auto& [first, count] : taken) pool.give(first, count);
  expect(pool.take(size) == 0u, "all of it again");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: fuzz SEED ROUNDS");
  random64.seed(std::strtoull(argv[1], nullptr, 10));
  for (long round = std::atol(argv[2]); round > 0; round--) {
    fuzzPerfRecord();
    fuzzSampleRecord();
    fuzzProcText();
    fuzzBuildId();
    fuzzMappingList();
    fuzzEventQueue();
    fuzzFoldTable();
    fuzzTableImage();
    fuzzRangePool();
  }
  std::printf("ok\n");
}

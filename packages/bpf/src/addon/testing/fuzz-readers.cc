// SPDX-License-Identifier: Apache-2.0
//
// A libFuzzer target for what the addon reads of others: the kernel's records and the texts of /proc hold
// names and paths that any process may choose, files are anybody's. The first byte of an input says what
// the rest is:
//
//   0  a process record of a perf ring     1  a record of our ring     2  /proc/PID/maps
//   3  /proc/PID/stat                      4  a list of CPUs           5  a file that may have a build id
//
//   clang++ -std=gnu++20 -g -O1 -fsanitize=fuzzer,address,undefined testing/fuzz-readers.cc SOURCES -o fuzz-readers
//   ./fuzz-readers NEW-CORPUS testing/corpus
//
// With -DREPLAY it is a program that takes the corpus and damages each case in N ways: fuzz.test.ts.
//
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../build-id.h"
#include "../cpu-list.h"
#include "../perf-record.h"
#include "../proc-text.h"
#include "../sample-record.h"

namespace {

using namespace fleetflame;
using Bytes = std::vector<uint8_t>;

enum Mode : uint8_t { PERF_RECORD, SAMPLE_RECORD, MAPS, STAT, CPU_LIST, BUILD_ID, MODES };

/// What is read is kept here, so that no read is optimised away.
volatile uint64_t sink;

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void use(std::string_view text) {
  for (const char c : text) sink = sink + static_cast<uint8_t>(c);
}

void readPerfRecord(const Bytes& bytes) {
  ProcessRecord record;
  if (!parsePerfRecord(bytes, record)) return;
  use(record.text);
  expect(record.text.size() <= bytes.size(), "a text longer than its record");
  expect(record.buildId.size() <= MAX_BUILD_ID_BYTES, "a build id that is too long");
  use(toHex(record.buildId));
}

void readSampleRecord(const Bytes& bytes) {
  SampleRecord record;
  if (!SampleRecord::parse(bytes, record)) return;
  use(record.comm());
  for (const __u64 frame : record.kernelFrames()) sink = sink + frame;
  for (const __u64 frame : record.userFrames()) sink = sink + frame;
  expect(record.kernelFrames().size() <= MAX_KERNEL_FRAMES && record.userFrames().size() <= MAX_USER_FRAMES, "too many frames");
}

void readMaps(std::string_view text) {
  MapsLine line;
  size_t lines = 0;
  while (nextExecutableLine(text, line)) {
    expect(line.start < line.end, "an empty mapping");
    use(line.path);
    lines++;
  }
  expect(lines <= text.size() + (1 << 20), "more lines than text");
}

void readStat(std::string_view text) {
  StatLine stat;
  if (!parseStat(text, stat)) return;
  use(stat.comm);
  expect(stat.parentPid <= MAX_PID, "a parent that cannot be");
}

void readCpuList(std::string_view text) {
  for (const int cpu : parseCpuList(text)) expect(cpu >= 0 && cpu <= MAX_CPU, "a CPU that cannot be");
}

void readBuildIdOf(const Bytes& bytes) {
  static const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  unwind::FileSource file(fd);
  expect(readBuildId(file).size() <= 2 * MAX_BUILD_ID_BYTES, "a build id that is too long");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A copy of exact size, so that the sanitizer sees every byte read past the end.
  const Bytes bytes(data + 1, data + size);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  switch (data[0] % MODES) {
    case PERF_RECORD:
      readPerfRecord(bytes);
      break;
    case SAMPLE_RECORD:
      readSampleRecord(bytes);
      break;
    case MAPS:
      readMaps(text);
      break;
    case STAT:
      readStat(text);
      break;
    case CPU_LIST:
      readCpuList(text);
      break;
    default:
      readBuildIdOf(bytes);
  }
  return 0;
}

#ifdef REPLAY
#include "../../testing/replay.h"
#endif

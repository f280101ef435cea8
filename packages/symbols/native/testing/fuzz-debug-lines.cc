// SPDX-License-Identifier: Apache-2.0
//
// A libFuzzer target for what reads debug information. The first byte of an input says what the rest is:
//
//   0  an ELF file     1  u32 length of a file, that file, its supplementary file
//
//   clang++ -std=gnu++20 -g -O1 -fsanitize=fuzzer,address,undefined $(ls *.cc | grep -v main.cc) \
//     testing/fuzz-debug-lines.cc -ldw -lelf -lzstd -o fuzz-debug-lines
//   ./fuzz-debug-lines NEW-CORPUS testing/corpus
//
// With -DREPLAY it is a program that takes files, and damages each in N ways: native-fuzz.test.ts.
//
// libdw itself is in the process, but not instrumented: the sanitizer sees what it frees twice or copies beyond
// an end, not each of its reads. That is what the process is for.
//
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../reader.h"
#include "../stream.h"

namespace {

using namespace fleetflame::symbols;
using Bytes = std::vector<char>;

enum Mode : uint8_t { ONE_FILE, WITH_SUPPLEMENT, MODES };

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// Small limits, so that they are met.
Limits smallLimits() {
  Limits limits;
  limits.entries = 20'000;
  limits.rowBytes = 1 << 18;
  limits.stringBytes = 1 << 20;
  limits.functions = 2000;
  limits.calls = 2000;
  limits.ranges = 2000;
  limits.files = 500;
  limits.rangesOfEntry = 500;
  limits.rowsOfUnit = 20'000;
  return limits;
}

/// What TypeScript checks again.
void check(const Tables& tables) {
  const uint32_t calls = static_cast<uint32_t>(tables.calls.tuples().size());
  const uint32_t files = static_cast<uint32_t>(tables.files.tuples().size());
  const auto& functions = tables.functions.tuples();
  for (uint32_t call = 0; call < calls; call++) {
    const auto& [function, parent, file, line] = tables.calls.tuples()[call];
    expect(function < functions.size() && file <= files, "a call names what is not there");
    expect(parent <= call, "a call is made in a later one");
  }
  for (const auto& [name, shown, file, line] : functions) expect(file <= files, "a function is in no file");
  for (const FunctionRange& range : tables.ranges)
    expect(range.start < range.end && range.function < functions.size(), "a range is empty, or of no function");
  const auto& bytes = tables.rows.bytes();
  uint64_t last = 0;
  bool first = true;
  for (const RowEncoder::Block& block : tables.rows.blocks()) {
    expect(first || block.start > last, "blocks are not sorted, or overlap");
    expect(block.length > 0 && block.offset + block.length <= bytes.size(), "a block lies outside");
    size_t at = block.offset;
    const size_t end = block.offset + block.length;
    const auto varint = [&] {
      uint32_t value = 0;
      for (unsigned shift = 0;; shift += 7) {
        expect(at < end && shift < 35, "a row runs out of its block");
        const uint8_t byte = bytes[at++];
        value |= static_cast<uint32_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    const auto delta = [&] {
      const uint32_t value = varint();
      return (value >> 1) ^ (0u - (value & 1));
    };
    uint64_t address = block.start;
    uint32_t call = 0;
    uint32_t file = 0;
    while (at < end) {
      const uint32_t head = varint();
      address += head >> 2;
      if ((head & 1) != 0) call += delta();
      if ((head & 2) != 0) file += delta();
      delta();
      expect(call <= calls && file <= files, "a row names what is not there");
    }
    last = address > block.start ? address - 1 : block.start;
    first = false;
  }
}

void read(Bytes bytes, Bytes supplementBytes) {
  try {
    const auto file = DebugFile::of(bytes.data(), bytes.size(), DebugFile::Role::Binary);
    std::unique_ptr<DebugFile> supplement;
    if (!supplementBytes.empty())
      supplement = DebugFile::of(supplementBytes.data(), supplementBytes.size(), DebugFile::Role::Supplement);
    Tables tables{smallLimits()};
    const Supplement found = readDebugInformation(*file, supplement.get(), tables);
    static const int NOWHERE = open("/dev/null", O_WRONLY);
    writeTables(NOWHERE, tables, found);
    check(tables);
  } catch (const Refused&) {
    // One of many good ends.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, data + size);
  uint32_t length = 0;
  if (data[0] % MODES == ONE_FILE || bytes.size() < sizeof length) {
    read(bytes, {});
    return 0;
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto rest = bytes.begin() + sizeof length;
  const auto middle = rest + std::min<size_t>(length, bytes.size() - sizeof length);
  read(Bytes(rest, middle), Bytes(middle, bytes.end()));
  return 0;
}

#ifdef REPLAY

#include <fstream>
#include <iterator>
#include <random>

/// fuzz-debug-lines SEED TIMES FILE ...
int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::mt19937_64 random(std::strtoull(argv[1], nullptr, 10));
  const long times = std::atol(argv[2]);
  for (int i = 3; i < argc; i++) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::vector<uint8_t> whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (whole.empty()) return 2;
    LLVMFuzzerTestOneInput(whole.data(), whole.size());
    for (long time = 0; time < times; time++) {
      std::vector<uint8_t> damaged = whole;
      for (size_t count = random() % 8 + 1; count > 0; count--) {
        const size_t at = 1 + random() % damaged.size();
        if (at < damaged.size()) damaged[at] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random());
      }
      if (random() % 4 == 0) damaged.resize(1 + random() % damaged.size());
      LLVMFuzzerTestOneInput(damaged.data(), damaged.size());
    }
  }
  std::printf("ok\n");
}

#endif

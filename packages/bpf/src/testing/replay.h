// SPDX-License-Identifier: Apache-2.0
//
// Turns a libFuzzer target into a program: PROGRAM SEED TIMES PACK-OR-FILE ...
// Every case is run as it is and damaged in TIMES ways; "ok" is printed when all is well.
//
// A pack is a corpus in one file, "FFPACK1\n" and then of each case its length (4 bytes, little endian) and its bytes:
// see pack-corpus.ts.
//
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace replay {

using Bytes = std::vector<uint8_t>;

constexpr char PACK[] = "FFPACK1\n";
constexpr size_t PACK_BYTES = sizeof PACK - 1;

/// A copy of exact size is made by the target; this one only has to live as long.
inline void run(const Bytes& bytes) { LLVMFuzzerTestOneInput(bytes.data(), bytes.size()); }

inline Bytes damage(Bytes bytes, std::mt19937_64& random) {
  for (size_t count = random() % 8 + 1; count > 0; count--) {
    const size_t at = 1 + random() % bytes.size();
    if (at < bytes.size()) bytes[at] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random());
  }
  if (random() % 4 == 0) bytes.resize(1 + random() % bytes.size());
  return bytes;
}

inline std::vector<Bytes> casesOf(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const Bytes whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (whole.size() < PACK_BYTES || std::memcmp(whole.data(), PACK, PACK_BYTES) != 0) return {whole};
  std::vector<Bytes> cases;
  for (size_t at = PACK_BYTES; at + 4 <= whole.size();) {
    uint32_t length = 0;
    std::memcpy(&length, whole.data() + at, sizeof length);
    at += sizeof length;
    if (length > whole.size() - at) break;
    cases.emplace_back(whole.begin() + static_cast<ptrdiff_t>(at), whole.begin() + static_cast<ptrdiff_t>(at + length));
    at += length;
  }
  return cases;
}

}  // namespace replay

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::mt19937_64 random(std::strtoull(argv[1], nullptr, 10));
  const long times = std::atol(argv[2]);
  for (int i = 3; i < argc; i++) {
    for (const replay::Bytes& bytes : replay::casesOf(argv[i])) {
      if (bytes.empty()) continue;
      replay::run(bytes);
      for (long time = 0; time < times; time++) replay::run(replay::damage(bytes, random));
    }
  }
  std::printf("ok\n");
}

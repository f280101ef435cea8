// SPDX-License-Identifier: Apache-2.0
//
// Reads the debug information of one ELF file and writes functions, lines and inlined calls to its output
// (stream.h). A process of its own, because the file is a stranger's and libdw is C: whatever it does in here
// costs one table its lines.
//
//   debug-lines --memory-mb N --cpu-seconds N [--supplement FILE] FILE
//
// Exit status: 0 done; 1 refused, 3 out of memory, both with one sentence on stderr; 2 wrong usage. A signal: SIGXCPU
// when it took too long, others when libdw failed.
//
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "reader.h"
#include "sandbox.h"
#include "stream.h"

namespace {

using namespace fleetflame::symbols;

int usage() {
  std::fprintf(stderr, "usage: debug-lines --memory-mb N --cpu-seconds N [--supplement FILE] FILE > TABLES\n");
  return 2;
}

/// A regular file; its size is added to `mappedBytes`.
int openFile(const char* path, uint64_t& mappedBytes) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about;
  if (descriptor < 0 || fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode))
    throw Refused(std::string("it cannot be read: ") + std::strerror(errno));
  mappedBytes += static_cast<uint64_t>(about.st_size);
  return descriptor;
}

void convert(const char* path, const char* supplementPath, ProcessLimits limits) {
  const int descriptor = openFile(path, limits.mappedBytes);
  const int supplementDescriptor = supplementPath == nullptr ? -1 : openFile(supplementPath, limits.mappedBytes);
  enterSandbox(limits);
  const auto file = DebugFile::open(descriptor, DebugFile::Role::Binary);
  std::unique_ptr<DebugFile> supplement;
  if (supplementDescriptor >= 0) supplement = DebugFile::open(supplementDescriptor, DebugFile::Role::Supplement);
  Tables tables{Limits{}};
  const Supplement found = readDebugInformation(*file, supplement.get(), tables);
  writeTables(STDOUT_FILENO, tables, found);
}

}  // namespace

int main(int count, char** arguments) {
  ProcessLimits limits{};
  const char* supplement = nullptr;
  int at = 1;
  for (; at + 1 < count && std::strncmp(arguments[at], "--", 2) == 0; at += 2) {
    const char* value = arguments[at + 1];
    if (std::strcmp(arguments[at], "--memory-mb") == 0) limits.memoryBytes = std::strtoull(value, nullptr, 10) << 20;
    else if (std::strcmp(arguments[at], "--cpu-seconds") == 0) limits.cpuSeconds = std::strtoull(value, nullptr, 10);
    else if (std::strcmp(arguments[at], "--supplement") == 0) supplement = value;
    else return usage();
  }
  if (at + 1 != count || limits.memoryBytes == 0 || limits.cpuSeconds == 0) return usage();
  try {
    convert(arguments[at], supplement, limits);
    // Not exit(): freeing gigabytes piece by piece takes longer than reading a small file.
    std::fflush(nullptr);
    _exit(0);
  } catch (const Refused& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 1;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "it needs more than %llu MB of memory\n", static_cast<unsigned long long>(limits.memoryBytes >> 20));
    return EXIT_OUT_OF_MEMORY;
  }
}

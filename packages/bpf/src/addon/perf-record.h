// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fleetflame {

/// The kernel's limit of a process id (PID_MAX_LIMIT). Larger ones are -1 in disguise: a task that
/// has no id any more.
constexpr uint32_t MAX_PID = 1u << 22;
constexpr size_t MAX_BUILD_ID_BYTES = 20;

struct FileId {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint64_t inode = 0;
  uint64_t generation = 0;
};

/// What the kernel told about a process. Views point into the bytes it was parsed from.
struct ProcessRecord {
  enum class Kind : uint8_t { map, comm, exec, fork, exit, lost };

  Kind kind = Kind::lost;
  uint64_t timeNs = 0;
  uint32_t pid = 0;
  uint32_t tid = 0;
  /// fork: the parent process.
  uint32_t parentPid = 0;
  /// map: the address range and where in the file it begins.
  uint64_t start = 0;
  uint64_t length = 0;
  uint64_t fileOffset = 0;
  /// map: the kernel gives either the build id or the file's numbers.
  std::span<const uint8_t> buildId;
  FileId file;
  /// lost: how many records the kernel had no room for.
  uint64_t lost = 0;
  /// map: the path. comm, exec: the name.
  std::string_view text;
};

/// Parses one record of a perf ring that was opened with the attributes in perf-ring.cc. False when
/// it is of another type, or too short for its type.
bool parsePerfRecord(std::span<const uint8_t> bytes, ProcessRecord& out);

}  // namespace fleetflame

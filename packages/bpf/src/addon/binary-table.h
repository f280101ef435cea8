// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "../foreign/foreign-source.h"
#include "mapping-list.h"
#include "outbox.h"
#include "perf-record.h"

namespace fleetflame {

/// An executable file mapping, as a record or a line of /proc/PID/maps describes it.
struct MappedFile {
  uint32_t pid;
  uint64_t start;
  uint64_t end;
  uint64_t fileOffset;
  FileId file;
  std::string path;
  /// Hex; "" when the kernel did not give it.
  std::string buildId;
};

/// Gives every executable file a number, and reports it once. Two files with one build id are the
/// same binary. Without a build id the file's numbers, size and time of change are the identity, so
/// that a file that was rewritten is another binary.
class BinaryTable {
 public:
  /// About 300 bytes each. A host that builds software meets some thousand in a month.
  static constexpr size_t MAX_BINARIES = 65536;
  /// Files looked at; only a cache.
  static constexpr size_t MAX_CACHED_FILES = 65536;

  BinaryTable(Outbox& outbox, ForeignFiles& files) : outbox_(outbox), files_(files) {}

  /// Its number; UNMAPPED_BINARY when the table is full.
  uint32_t identify(const MappedFile& mapped);

  /// Opens the file behind a mapping of a process; invalid when it is not the same file any more.
  ForeignSource open(const Mapping& mapping, uint32_t pid) const;

  /// Hex, "" when it has none.
  std::string buildIdOf(uint32_t binary) const;

  size_t size() const { return ids_.size(); }
  uint64_t refused() const { return refused_; }

 private:
  uint32_t numberOf(const std::string& identity, const MappedFile& mapped, const std::string& buildId);

  /// The file behind a mapping: through the mapping itself, which also finds files that were deleted or replaced, else
  /// through the process's root or by path if the inode is the same.
  ForeignSource openMapped(const MappedFile& mapped) const;

  Outbox& outbox_;
  ForeignFiles& files_;
  std::unordered_map<std::string, uint32_t> ids_;
  /// By number: what open() needs. The texts are those of ids_.
  struct Binary {
    std::string path;
    const std::string* identity;
  };
  std::vector<Binary> binaries_;
  std::unordered_map<std::string, std::string> buildIdByFile_;
  uint64_t refused_ = 0;
};

}  // namespace fleetflame

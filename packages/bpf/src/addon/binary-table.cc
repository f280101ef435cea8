// SPDX-License-Identifier: Apache-2.0
#include "binary-table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>

#include "build-id.h"
#include "mapping-list.h"

namespace fleetflame {
namespace {

/// A regular file without touching it: neither devices nor pipes are opened.
Fd pinRegularFile(const std::string& path, struct stat& info) {
  Fd pinned(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!pinned || fstat(pinned.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Fd();
  return pinned;
}

/// How a binary without a build id is told from others.
std::string fileIdentity(const std::string& file, const std::string& path) { return "file " + file + ' ' + path; }
std::string buildIdentity(const std::string& buildId) { return "id " + buildId; }

Fd openPinned(const Fd& pinned) {
  return Fd(open(("/proc/self/fd/" + std::to_string(pinned.get())).c_str(), O_RDONLY | O_CLOEXEC));
}

/// Pins the file behind a mapping: through the mapping itself, which also finds files that were
/// deleted or replaced, else through the process's root or by path if the inode is the same.
Fd pinMappedFile(const MappedFile& mapped, struct stat& info) {
  const std::string process = "/proc/" + std::to_string(mapped.pid);
  char range[64];
  std::snprintf(range, sizeof range, "/map_files/%llx-%llx", static_cast<unsigned long long>(mapped.start),
                static_cast<unsigned long long>(mapped.end));
  if (Fd fd = pinRegularFile(process + range, info)) return fd;
  if (!mapped.path.starts_with('/')) return Fd();
  for (const std::string& root : {process + "/root", std::string()}) {
    Fd fd = pinRegularFile(root + mapped.path, info);
    if (fd && info.st_ino == mapped.file.inode) return fd;
  }
  return Fd();
}

std::string describe(const struct stat& info) {
  return std::to_string(info.st_dev) + ':' + std::to_string(info.st_ino) + ':' + std::to_string(info.st_size) + ':' +
         std::to_string(info.st_mtim.tv_sec) + '.' + std::to_string(info.st_mtim.tv_nsec);
}

std::string describe(const FileId& file) {
  return std::to_string(file.major) + ':' + std::to_string(file.minor) + ':' + std::to_string(file.inode) + ':' +
         std::to_string(file.generation);
}

}  // namespace

uint32_t BinaryTable::identify(const MappedFile& mapped) {
  if (!mapped.buildId.empty()) return numberOf(buildIdentity(mapped.buildId), mapped, mapped.buildId);
  // The kernel gives no build id when there is none, when the page of the note is not in memory, and
  // for mappings that were there before. The file knows.
  struct stat info{};
  const Fd pinned = pinMappedFile(mapped, info);
  if (!pinned) return numberOf("mapped " + describe(mapped.file) + ' ' + mapped.path, mapped, "");
  const std::string file = describe(info);
  auto known = buildIdByFile_.find(file);
  if (known == buildIdByFile_.end()) {
    if (buildIdByFile_.size() >= MAX_CACHED_FILES) buildIdByFile_.clear();
    const Fd readable = openPinned(pinned);
    known = buildIdByFile_.emplace(file, readable ? readBuildId(readable.get()) : "").first;
  }
  const std::string& buildId = known->second;
  return numberOf(buildId.empty() ? fileIdentity(file, mapped.path) : buildIdentity(buildId), mapped, buildId);
}

std::string BinaryTable::buildIdOf(uint32_t binary) const {
  if (binary < FIRST_FILE_BINARY || binary - FIRST_FILE_BINARY >= binaries_.size()) return "";
  const std::string& identity = *binaries_[binary - FIRST_FILE_BINARY].identity;
  const std::string prefix = buildIdentity("");
  return identity.starts_with(prefix) ? identity.substr(prefix.size()) : "";
}

Fd BinaryTable::open(const Mapping& mapping, uint32_t pid) const {
  if (mapping.binary < FIRST_FILE_BINARY || mapping.binary - FIRST_FILE_BINARY >= binaries_.size()) return Fd();
  const Binary& binary = binaries_[mapping.binary - FIRST_FILE_BINARY];
  const std::string process = "/proc/" + std::to_string(pid);
  char range[64];
  std::snprintf(range, sizeof range, "/map_files/%llx-%llx", static_cast<unsigned long long>(mapping.start),
                static_cast<unsigned long long>(mapping.end));
  for (const std::string& path : {process + range, process + "/root" + binary.path, binary.path}) {
    struct stat info{};
    const Fd pinned = path.starts_with('/') ? pinRegularFile(path, info) : Fd();
    if (!pinned) continue;
    Fd file = openPinned(pinned);
    if (!file) continue;
    const std::string& identity = *binary.identity;
    if (identity == fileIdentity(describe(info), binary.path) || identity == buildIdentity(readBuildId(file.get()))) return file;
  }
  return Fd();
}

uint32_t BinaryTable::numberOf(const std::string& identity, const MappedFile& mapped, const std::string& buildId) {
  if (const auto known = ids_.find(identity); known != ids_.end()) return known->second;
  if (ids_.size() >= MAX_BINARIES) {
    refused_++;
    return UNMAPPED_BINARY;
  }
  const auto id = static_cast<uint32_t>(FIRST_FILE_BINARY + ids_.size());
  const auto entry = ids_.emplace(identity, id).first;
  binaries_.push_back({mapped.path, &entry->first});
  outbox_.addBinary({id, mapped.pid, mapped.start, mapped.end, mapped.fileOffset, mapped.path, buildId});
  return id;
}

}  // namespace fleetflame

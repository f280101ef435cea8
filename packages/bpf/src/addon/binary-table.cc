// SPDX-License-Identifier: Apache-2.0
#include "binary-table.h"

#include <cstdio>

#include "build-id.h"
#include "mapping-list.h"

namespace fleetflame {
namespace {

/// How a binary without a build id is told from others.
std::string fileIdentity(const std::string& file, const std::string& path) { return "file " + file + ' ' + path; }
std::string buildIdentity(const std::string& buildId) { return "id " + buildId; }

std::string rangeOf(uint64_t start, uint64_t end) {
  char range[64];
  std::snprintf(range, sizeof range, "%llx-%llx", static_cast<unsigned long long>(start),
                static_cast<unsigned long long>(end));
  return range;
}

std::string describe(const ForeignFile& file) {
  return std::to_string(file.device) + ':' + std::to_string(file.inode) + ':' + std::to_string(file.size) + ':' +
         std::to_string(file.modifiedSeconds) + '.' + std::to_string(file.modifiedNanoseconds);
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
  ForeignSource source = openMapped(mapped);
  if (!source) return numberOf("mapped " + describe(mapped.file) + ' ' + mapped.path, mapped, "");
  const std::string file = describe(source.file());
  auto known = buildIdByFile_.find(file);
  if (known == buildIdByFile_.end()) {
    if (buildIdByFile_.size() >= MAX_CACHED_FILES) buildIdByFile_.clear();
    known = buildIdByFile_.emplace(file, readBuildId(source)).first;
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

ForeignSource BinaryTable::openMapped(const MappedFile& mapped) const {
  ForeignFile file;
  int error = files_.openMapped(mapped.pid, rangeOf(mapped.start, mapped.end), file);
  if (error == 0) return {files_, file};
  if (!mapped.path.starts_with('/')) return {};
  for (const foreign::Base base : {foreign::Base::root, foreign::Base::host}) {
    // Another path to who does not answer is no better.
    if (error == ForeignFiles::HUNG || error == foreign::SILENT_DEVICE) return {};
    error = files_.openPath(mapped.pid, base, mapped.path, 0, file);
    if (error != 0) continue;
    ForeignSource source(files_, file);
    if (file.inode == mapped.file.inode) return source;
  }
  return {};
}

ForeignSource BinaryTable::open(const Mapping& mapping, uint32_t pid) const {
  if (mapping.binary < FIRST_FILE_BINARY || mapping.binary - FIRST_FILE_BINARY >= binaries_.size()) return {};
  const Binary& binary = binaries_[mapping.binary - FIRST_FILE_BINARY];
  const std::string& identity = *binary.identity;
  const bool isPath = binary.path.starts_with('/');
  for (int way = 0; way < 3; way++) {
    if (way > 0 && !isPath) break;
    ForeignFile file;
    const int error =
        way == 0 ? files_.openMapped(pid, rangeOf(mapping.start, mapping.end), file)
                 : files_.openPath(pid, way == 1 ? foreign::Base::root : foreign::Base::host, binary.path, 0, file);
    if (error == ForeignFiles::HUNG || error == foreign::SILENT_DEVICE) break;
    if (error != 0) continue;
    ForeignSource source(files_, file);
    if (identity == fileIdentity(describe(file), binary.path) || identity == buildIdentity(readBuildId(source))) {
      return source;
    }
  }
  return {};
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

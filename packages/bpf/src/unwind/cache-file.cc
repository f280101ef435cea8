// SPDX-License-Identifier: Apache-2.0
#include "cache-file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <type_traits>

namespace fleetflame::unwind {
namespace {

constexpr char MAGIC[8] = {'F', 'F', 'U', 'N', 'W', 'N', 'D', '\0'};
/// Raised when rows, rules or the header change their meaning, or the builder makes better tables.
constexpr uint32_t VERSION = 3;
constexpr mode_t MODE = 0600;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t buildIdBytes;
  uint64_t fileBytes;
  uint64_t base;
  uint32_t pages;
  uint32_t rows;
  uint32_t rules;
  uint32_t reserved;
  Statistics statistics;
};
static_assert(std::is_trivially_copyable<Header>::value && sizeof(Header) % 8 == 0);

size_t padded(size_t bytes) { return (bytes + 3) & ~size_t{3}; }

/// Bytes of a file with these counts; they fit, as each is below 2^32.
uint64_t fileBytes(const Header& header) {
  return sizeof(Header) + padded(header.buildIdBytes) + (uint64_t{header.pages} + header.rows) * sizeof(uint32_t) +
         uint64_t{header.rules} * sizeof(Rule) + sizeof(uint32_t);
}

template <typename T>
void append(std::vector<uint8_t>& out, const T* items, size_t count) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(items);
  out.insert(out.end(), bytes, bytes + count * sizeof(T));
}

std::vector<uint8_t> encode(const std::string& buildId, const UnwindTable& table) {
  Header header{};
  std::memcpy(header.magic, MAGIC, sizeof MAGIC);
  header.version = VERSION;
  header.buildIdBytes = static_cast<uint32_t>(buildId.size());
  header.base = table.base;
  header.pages = static_cast<uint32_t>(table.pages.size());
  header.rows = static_cast<uint32_t>(table.rows.size());
  header.rules = static_cast<uint32_t>(table.rules.size());
  header.statistics = table.statistics;
  header.fileBytes = fileBytes(header);
  std::vector<uint8_t> out;
  out.reserve(header.fileBytes);
  append(out, &header, 1);
  append(out, buildId.data(), buildId.size());
  out.resize(sizeof header + padded(buildId.size()));
  append(out, table.pages.data(), table.pages.size());
  append(out, table.rows.data(), table.rows.size());
  append(out, table.rules.data(), table.rules.size());
  const auto sum = static_cast<uint32_t>(crc32_z(0, out.data(), out.size()));
  append(out, &sum, 1);
  return out;
}

bool writeAll(int fd, const std::vector<uint8_t>& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return true;
}

/// Reads `count` items into a vector and adds them to the checksum.
template <typename T>
bool readItems(ByteSource& source, uint64_t& at, size_t count, std::vector<T>& out, uLong& sum) {
  out.resize(count);
  if (!source.read(at, out.data(), count * sizeof(T))) return false;
  sum = crc32_z(sum, reinterpret_cast<const uint8_t*>(out.data()), count * sizeof(T));
  at += count * sizeof(T);
  return true;
}

bool isSound(const UnwindTable& table) {
  if (table.pages.empty() || table.pages.front() != 0 || table.pages.back() != table.rows.size()) return false;
  if (table.rules.size() < UNWIND_FIXED_RULES || table.rules.size() > UINT16_MAX) return false;
  for (const Rule& rule : table.rules) {
    if (!isValid(rule)) return false;
  }
  for (size_t page = 0; page + 1 < table.pages.size(); page++) {
    const uint32_t first = table.pages[page];
    const uint32_t last = table.pages[page + 1];
    if (last < first || last > table.rows.size()) return false;
    for (uint32_t row = first; row < last; row++) {
      if (UnwindTable::ruleIndex(table.rows[row]) >= table.rules.size()) return false;
      if (row > first && UnwindTable::addressLow(table.rows[row]) <= UnwindTable::addressLow(table.rows[row - 1])) return false;
    }
  }
  return true;
}

bool decode(ByteSource& source, const std::string& buildId, uint64_t maxBytes, UnwindTable& out) {
  Header header{};
  if (!source.read(0, &header, sizeof header)) return false;
  if (std::memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.version != VERSION) return false;
  if (header.buildIdBytes != buildId.size() || header.fileBytes != fileBytes(header)) return false;
  if (header.fileBytes != source.size() || header.fileBytes > maxBytes) return false;

  uLong sum = crc32_z(0, reinterpret_cast<const uint8_t*>(&header), sizeof header);
  uint64_t at = sizeof header;
  std::vector<char> name;
  if (!readItems(source, at, padded(buildId.size()), name, sum)) return false;
  if (std::memcmp(name.data(), buildId.data(), buildId.size()) != 0) return false;
  if (!readItems(source, at, header.pages, out.pages, sum)) return false;
  if (!readItems(source, at, header.rows, out.rows, sum)) return false;
  if (!readItems(source, at, header.rules, out.rules, sum)) return false;
  uint32_t want = 0;
  if (!source.read(at, &want, sizeof want) || want != sum) return false;
  out.base = header.base;
  out.statistics = header.statistics;
  return isSound(out);
}

}  // namespace

bool isBuildId(const std::string& buildId) {
  if (buildId.empty() || buildId.size() > MAX_BUILD_ID_TEXT || buildId.size() % 2 != 0) return false;
  return buildId.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string cacheFileName(const std::string& buildId) { return buildId + ".unwind"; }

bool writeCacheFile(const std::string& directory, const std::string& buildId, const UnwindTable& table) {
  if (!isBuildId(buildId)) return false;
  const std::string path = directory + "/" + cacheFileName(buildId);
  const std::string beside = path + ".new";
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
  if (fd < 0) return false;
  // No fsync: after a crash of the host the checksum tells, and the table is made again.
  const bool whole = writeAll(fd, encode(buildId, table));
  const bool closed = close(fd) == 0;
  if (whole && closed && rename(beside.c_str(), path.c_str()) == 0) return true;
  unlink(beside.c_str());
  return false;
}

bool readCacheFile(ByteSource& source, const std::string& buildId, uint64_t maxBytes, UnwindTable& out) {
  out = UnwindTable{};
  if (isBuildId(buildId) && decode(source, buildId, maxBytes, out)) return true;
  out = UnwindTable{};
  return false;
}

bool readCacheFile(const std::string& directory, const std::string& buildId, uint64_t maxBytes, UnwindTable& out) {
  out = UnwindTable{};
  if (!isBuildId(buildId)) return false;
  const std::string path = directory + "/" + cacheFileName(buildId);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  FileSource source(fd);
  const bool sound = readCacheFile(source, buildId, maxBytes, out);
  close(fd);
  return sound;
}

}  // namespace fleetflame::unwind

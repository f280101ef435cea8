// SPDX-License-Identifier: Apache-2.0
//
// A table on disk, so that a restarted agent need not make it again. The name is the build id; the
// content is never believed without its checks: a damaged or foreign file is a miss.
//
//   bytes  what
//       8  "FFUNWND\0"
//       4  version
//       4  length of the build id
//       8  length of the file
//       8  base
//     3x4  numbers of pages, rows and rules
//       4  0
//       -  Statistics
//       -  build id, padded to four bytes
//     4 x  pages
//     4 x  rows
//    16 x  rules
//       4  CRC-32 of all before
//
// Numbers are little-endian.
#pragma once

#include <string>

#include "byte-source.h"
#include "unwind-table.h"

namespace fleetflame::unwind {

/// Longer ones are not made by any linker.
constexpr size_t MAX_BUILD_ID_TEXT = 128;

/// Lower-case hex of an even number of digits: safe as a file's name.
bool isBuildId(const std::string& buildId);

/// The file's name within the cache's directory: "BUILDID.unwind".
std::string cacheFileName(const std::string& buildId);

/// Writes to a new file beside and renames it. False when it cannot (no space, no permission).
bool writeCacheFile(const std::string& directory, const std::string& buildId, const UnwindTable& table);

/// False, and `out` empty, for anything but a whole file of this version for this build id whose
/// every index is in range. `maxBytes` is the limit of the file.
bool readCacheFile(ByteSource& source, const std::string& buildId, uint64_t maxBytes, UnwindTable& out);
bool readCacheFile(const std::string& directory, const std::string& buildId, uint64_t maxBytes, UnwindTable& out);

}  // namespace fleetflame::unwind

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "perf-record.h"

namespace fleetflame {

/// One executable line of /proc/PID/maps.
struct MapsLine {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t fileOffset = 0;
  FileId file;
  std::string path;
};

/// Takes lines off the front of `text` up to and including the next executable mapping. False when
/// there is none. Lines that cannot be understood are skipped.
bool nextExecutableLine(std::string_view& text, MapsLine& out);

/// What is used of /proc/PID/stat.
struct StatLine {
  std::string comm;
  uint32_t parentPid = 0;
  bool kernelThread = false;
};

bool parseStat(std::string_view text, StatLine& out);

/// A number of at most `max` that is the whole text.
bool parseNumber(std::string_view text, int base, uint64_t max, uint64_t& out);

}  // namespace fleetflame

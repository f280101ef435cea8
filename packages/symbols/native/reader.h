// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "debug-file.h"
#include "tables.h"

namespace fleetflame::symbols {

/// What a file says of its supplementary file (dwz).
struct Supplement {
  /// Empty without one.
  std::string buildId;
  std::string path;
  bool used = false;
};

/// Reads all units of a file. `supplement` may be nullptr; one with another build id than the file asks for
/// is not used.
Supplement readDebugInformation(const DebugFile& file, const DebugFile* supplement, Tables& tables);

}  // namespace fleetflame::symbols

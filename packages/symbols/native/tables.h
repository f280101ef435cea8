// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "interner.h"
#include "row-encoder.h"
#include "source-path.h"

namespace fleetflame::symbols {

/// A piece of code of a function that was not inlined.
struct FunctionRange {
  uint64_t start;
  uint64_t end;
  uint32_t function;
};

/// All that is found in a file's debug information.
struct Tables {
  explicit Tables(const Limits& limits)
      : limits(limits),
        strings(limits.stringBytes),
        files(limits.files, "source files"),
        functions(limits.functions, "functions"),
        calls(limits.calls, "inlined calls"),
        rows(limits.rowBytes) {}

  const Limits limits;
  StringTable strings;
  /// Text of the path. File numbers elsewhere are the index plus 1; 0 is unknown.
  TupleTable<1> files;
  /// Name in the binary, name for people (0: the same), file, line. Names are texts.
  TupleTable<4> functions;
  /// Function, call around it (index plus 1; 0: none), file and line of the call.
  TupleTable<4> calls;
  std::vector<FunctionRange> ranges;
  RowEncoder rows;

  uint64_t rowCount = 0;
  uint64_t units = 0;
  /// Their functions are in .dwo files.
  uint64_t splitUnits = 0;
  uint64_t damagedUnits = 0;
  /// Units of languages or versions that libdw does not read.
  uint64_t unnamedFunctions = 0;
  /// Calls deeper than MAX_INLINE_DEPTH, entries deeper than MAX_DEPTH.
  uint64_t tooDeep = 0;

  /// Number of a file; `directory`: of the compilation, may be nullptr.
  uint32_t file(const char* directory, const char* path) {
    if (path == nullptr || *path == '\0') return 0;
    return files.intern({strings.intern(sourcePath(directory == nullptr ? "" : directory, path))}) + 1;
  }
};

}  // namespace fleetflame::symbols

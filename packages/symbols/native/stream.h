// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reader.h"

namespace fleetflame::symbols {

/// Writes the tables to a descriptor, in the form that read-debug-lines.ts reads:
///
///   magic "FFDWLINE", u32 version, ranges, functions, calls, blocks, files, row bytes, string bytes,
///   note bytes, 0, u64 base, then columns of u32, each without a gap after the one before:
///     of each range      start (from base), length, function
///     of each function   name, name for people (offsets into the strings; 0: the same), file, line
///     of each call       function, call around it, file, line
///     of each block      start (from base), bytes
///     of each file       path (offset into the strings)
///   rows, zero-ended strings, notes ("name value" lines).
///
/// Blocks are in the order of their addresses, and so are their rows. Ranges may overlap.
void writeTables(int descriptor, Tables& tables, const Supplement& supplement);

}  // namespace fleetflame::symbols

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace fleetflame::symbols {

/// One spelling for one file: joined with the directory of the compilation, without "." and "x/..". Headers are
/// spelled in a dozen ways, and functions of different files are different functions.
std::string sourcePath(std::string_view directory, std::string_view path);

}  // namespace fleetflame::symbols

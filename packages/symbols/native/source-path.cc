// SPDX-License-Identifier: Apache-2.0
#include "source-path.h"

#include <vector>

namespace fleetflame::symbols {

namespace {

/// Adds the parts of a path, resolving "." and "..".
void addParts(std::vector<std::string_view>& parts, std::string_view path, bool absolute) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") parts.push_back(part);
    else if (!parts.empty() && parts.back() != "..") parts.pop_back();
    else if (!absolute) parts.push_back(part);
  }
}

/// Whether a path lies in a directory by its spelling. Debian maps the directory of the build to ".", in the
/// directory of the compilation ("./posix") as well as in paths ("./posix/glob.c"), which then need no joining.
bool isSpelledWithin(std::string_view directory, std::string_view path) {
  return path.size() > directory.size() && path.substr(0, directory.size()) == directory &&
         path[directory.size()] == '/';
}

}  // namespace

std::string sourcePath(std::string_view directory, std::string_view path) {
  std::vector<std::string_view> parts;
  const bool joined = !path.empty() && path[0] != '/' && !directory.empty() && !isSpelledWithin(directory, path);
  const std::string_view first = joined ? directory : path;
  const bool absolute = !first.empty() && first[0] == '/';
  if (joined) addParts(parts, directory, absolute);
  addParts(parts, path, absolute);
  std::string result;
  for (const std::string_view part : parts) {
    if (absolute || !result.empty()) result += '/';
    result += part;
  }
  return result;
}

}  // namespace fleetflame::symbols

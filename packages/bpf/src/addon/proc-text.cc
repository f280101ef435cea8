// SPDX-License-Identifier: Apache-2.0
#include "proc-text.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace fleetflame {
namespace {

constexpr uint64_t ANY = std::numeric_limits<uint64_t>::max();
/// task_struct.flags, as /proc/PID/stat prints them.
constexpr uint64_t FLAG_KERNEL_THREAD = 0x00200000;

std::string_view takeUntil(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

/// The kernel writes a line feed in a path as the four characters \012.
std::string unescape(std::string_view path) {
  constexpr std::string_view LINE_FEED = "\\012";
  std::string out;
  for (size_t at; (at = path.find(LINE_FEED)) != std::string_view::npos;) {
    out.append(path.substr(0, at)).push_back('\n');
    path.remove_prefix(at + LINE_FEED.size());
  }
  out.append(path);
  return out;
}

/// start-end perms offset major:minor inode   path
bool parseLine(std::string_view line, MapsLine& out) {
  uint64_t major = 0;
  uint64_t minor = 0;
  if (!parseNumber(takeUntil(line, '-'), 16, ANY, out.start)) return false;
  if (!parseNumber(takeUntil(line, ' '), 16, ANY, out.end)) return false;
  if (takeUntil(line, ' ').find('x') == std::string_view::npos) return false;
  if (!parseNumber(takeUntil(line, ' '), 16, ANY, out.fileOffset)) return false;
  if (!parseNumber(takeUntil(line, ':'), 16, UINT32_MAX, major)) return false;
  if (!parseNumber(takeUntil(line, ' '), 16, UINT32_MAX, minor)) return false;
  if (!parseNumber(takeUntil(line, ' '), 10, ANY, out.file.inode)) return false;
  out.file.major = static_cast<uint32_t>(major);
  out.file.minor = static_cast<uint32_t>(minor);
  out.file.generation = 0;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  out.path = unescape(line);
  return out.start < out.end;
}

}  // namespace

bool parseNumber(std::string_view text, int base, uint64_t max, uint64_t& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && out <= max;
}

bool nextExecutableLine(std::string_view& text, MapsLine& out) {
  while (!text.empty()) {
    if (parseLine(takeUntil(text, '\n'), out)) return true;
  }
  return false;
}

bool parseStat(std::string_view text, StatLine& out) {
  // pid (comm) state ppid pgrp session tty tpgid flags ...; comm may hold brackets and spaces itself.
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
  out.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  takeUntil(rest, ' ');
  takeUntil(rest, ' ');
  uint64_t parent = 0;
  uint64_t flags = 0;
  if (!parseNumber(takeUntil(rest, ' '), 10, MAX_PID, parent)) return false;
  for (int i = 0; i < 4; i++) takeUntil(rest, ' ');
  if (!parseNumber(takeUntil(rest, ' '), 10, UINT32_MAX, flags)) return false;
  out.parentPid = static_cast<uint32_t>(parent);
  out.kernelThread = (flags & FLAG_KERNEL_THREAD) != 0;
  return true;
}

}  // namespace fleetflame

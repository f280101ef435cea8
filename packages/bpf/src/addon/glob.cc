// SPDX-License-Identifier: Apache-2.0
#include "glob.h"

#include <cstddef>

namespace fleetflame {
namespace {

constexpr size_t NONE = std::string_view::npos;

/// Where to go on when what was tried does not fit: after a star, with one more character given to it.
struct Retry {
  size_t pattern = NONE;
  size_t text = 0;
};

}  // namespace

bool globMatches(std::string_view pattern, std::string_view text, char separator) {
  // The shortest match of what lies between two stars leaves most to the rest, so only the last star
  // of each kind can need more.
  Retry any;
  Retry inSegment;
  size_t p = 0;
  size_t t = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      const bool crosses = p + 1 < pattern.size() && pattern[p + 1] == '*';
      p += crosses ? 2 : 1;
      if (crosses) {
        any = {p, t};
        inSegment = {};
      } else {
        inSegment = {p, t};
      }
      continue;
    }
    if (p == pattern.size() && t == text.size()) return true;
    if (p < pattern.size() && t < text.size() && (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != separator))) {
      p++;
      t++;
      continue;
    }
    if (inSegment.pattern != NONE && inSegment.text < text.size() && text[inSegment.text] != separator) {
      p = inSegment.pattern;
      t = ++inSegment.text;
    } else if (any.pattern != NONE && any.text < text.size()) {
      p = any.pattern;
      t = ++any.text;
      inSegment = {};
    } else {
      return false;
    }
  }
}

bool globCovers(std::string_view pattern, std::string_view path) {
  if (pattern == "/" || globMatches(pattern, path)) return true;
  for (size_t slash = path.rfind('/'); slash != NONE && slash != 0; slash = path.rfind('/', slash - 1)) {
    if (globMatches(pattern, path.substr(0, slash))) return true;
  }
  return false;
}

}  // namespace fleetflame

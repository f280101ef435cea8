// SPDX-License-Identifier: Apache-2.0
// For each pair of lines, pattern and text, prints "1" or "0": in paths, in names, as a path or one above it.
#include "../glob.h"

#include <iostream>
#include <string>

int main() {
  std::string pattern;
  std::string text;
  while (std::getline(std::cin, pattern) && std::getline(std::cin, text)) {
    std::cout << fleetflame::globMatches(pattern, text) << fleetflame::globMatches(pattern, text, '\0')
              << fleetflame::globCovers(pattern, text) << '\n';
  }
}

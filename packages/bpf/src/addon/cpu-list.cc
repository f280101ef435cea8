// SPDX-License-Identifier: Apache-2.0
#include "cpu-list.h"

#include <algorithm>
#include <charconv>

#include "file.h"

namespace fleetflame {
namespace {

bool parseCpu(std::string_view text, int& cpu) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), cpu);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && cpu >= 0 && cpu <= MAX_CPU;
}

}  // namespace

std::set<int> parseCpuList(std::string_view text) {
  std::set<int> cpus;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t dash = part.find('-');
    int first = 0;
    int last = 0;
    if (!parseCpu(part.substr(0, dash), first)) continue;
    last = first;
    if (dash != std::string_view::npos && !parseCpu(part.substr(dash + 1), last)) continue;
    for (int cpu = first; cpu <= last; cpu++) cpus.insert(cpu);
  }
  return cpus;
}

std::set<int> onlineCpus() {
  std::string text;
  if (!readFile("/sys/devices/system/cpu/online", 64 << 10, text)) return {};
  return parseCpuList(text);
}

}  // namespace fleetflame

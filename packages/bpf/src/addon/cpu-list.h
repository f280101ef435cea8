// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string_view>

namespace fleetflame {

/// Largest CPU number believed; the kernel's own limit (CONFIG_NR_CPUS) is 8192.
constexpr int MAX_CPU = 65535;

/// Parses "0-3,5,8-9". Unreadable parts are skipped.
std::set<int> parseCpuList(std::string_view text);

/// CPUs that are online now; empty when sysfs cannot be read.
std::set<int> onlineCpus();

}  // namespace fleetflame

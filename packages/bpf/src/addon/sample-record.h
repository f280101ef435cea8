// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "../bpf/record.h"

namespace fleetflame {

/// A record of the BPF program, checked: header fields and the depth-many frames that are there.
class SampleRecord {
 public:
  /// False when the lengths do not agree.
  static bool parse(std::span<const uint8_t> bytes, SampleRecord& out);

  uint64_t timeNs() const { return record_.time_ns; }
  uint32_t pid() const { return record_.tgid; }
  uint64_t cgroupId() const { return record_.cgroup_id; }
  uint64_t image() const { return record_.image; }
  stack_end end() const { return static_cast<stack_end>(record_.end); }
  uint32_t flags() const { return record_.flags; }
  std::string_view comm() const;
  std::span<const __u64> kernelFrames() const { return {record_.frames, record_.kernel_depth}; }
  std::span<const __u64> userFrames() const {
    return {record_.frames + record_.kernel_depth, record_.user_depth};
  }

 private:
  sample_record record_{};
};

}  // namespace fleetflame

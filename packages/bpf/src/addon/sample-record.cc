// SPDX-License-Identifier: Apache-2.0
#include "sample-record.h"

#include <cstddef>
#include <cstring>

namespace fleetflame {

static_assert(offsetof(sample_record, frames) == SAMPLE_HEADER_BYTES);

bool SampleRecord::parse(std::span<const uint8_t> bytes, SampleRecord& out) {
  if (bytes.size() < SAMPLE_HEADER_BYTES || bytes.size() > sizeof out.record_) return false;
  std::memcpy(&out.record_, bytes.data(), bytes.size());
  if (out.record_.end >= STACK_ENDS) return false;
  const size_t frames = size_t{out.record_.kernel_depth} + out.record_.user_depth;
  return SAMPLE_HEADER_BYTES + frames * sizeof(uint64_t) == bytes.size();
}

std::string_view SampleRecord::comm() const { return {record_.comm, strnlen(record_.comm, COMM_BYTES)}; }

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace fleetflame::unwind {

/// Bytes of somebody else: a file that may shrink or change while it is read, or a copy of memory.
/// Files are never mapped: a truncated one would raise SIGBUS, and its pages would count as ours.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual uint64_t size() const = 0;

  /// Exactly `length` bytes, or false.
  virtual bool read(uint64_t offset, void* out, size_t length) = 0;
};

/// An open file; the descriptor stays the caller's.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(int fd);

  uint64_t size() const override { return size_; }
  bool read(uint64_t offset, void* out, size_t length) override;

 private:
  int fd_;
  uint64_t size_ = 0;
};

/// Bytes in memory, which must outlive it: the vDSO, an inflated section.
class MemorySource final : public ByteSource {
 public:
  MemorySource(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  uint64_t size() const override { return size_; }
  bool read(uint64_t offset, void* out, size_t length) override;

 private:
  const uint8_t* bytes_;
  size_t size_;
};

}  // namespace fleetflame::unwind

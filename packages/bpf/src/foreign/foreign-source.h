// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../unwind/byte-source.h"
#include "foreign-files.h"

namespace fleetflame {

/// An open foreign file, closed with it.
class ForeignSource final : public unwind::ByteSource {
 public:
  ForeignSource() = default;
  ForeignSource(ForeignFiles& files, const ForeignFile& file) : files_(&files), file_(file) {}
  ForeignSource(ForeignSource&& other) noexcept;
  ForeignSource& operator=(ForeignSource&& other) noexcept;
  ~ForeignSource() override;

  explicit operator bool() const { return files_ != nullptr; }
  const ForeignFile& file() const { return file_; }
  /// Its file system did not answer, or its helper is gone: another attempt may give more.
  bool isLost() const { return lost_; }
  uint64_t size() const override { return file_.size; }
  bool read(uint64_t offset, void* out, size_t length) override;

 private:
  ForeignFiles* files_ = nullptr;
  ForeignFile file_;
  bool lost_ = false;
};

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
#include "foreign-source.h"

#include <cerrno>
#include <utility>

namespace fleetflame {

ForeignSource::ForeignSource(ForeignSource&& other) noexcept
    : files_(std::exchange(other.files_, nullptr)), file_(other.file_), lost_(other.lost_) {}

ForeignSource& ForeignSource::operator=(ForeignSource&& other) noexcept {
  // The old file is closed with `other`.
  std::swap(files_, other.files_);
  std::swap(file_, other.file_);
  std::swap(lost_, other.lost_);
  return *this;
}

ForeignSource::~ForeignSource() {
  if (files_) files_->close(file_.handle);
}

bool ForeignSource::read(uint64_t offset, void* out, size_t length) {
  if (!files_ || offset > file_.size || length > file_.size - offset) return false;
  int error = 0;
  const size_t got = files_->read(file_.handle, offset, out, length, error);
  if (error != 0 && error != EIO) lost_ = true;
  return got == length && error == 0;
}

}  // namespace fleetflame

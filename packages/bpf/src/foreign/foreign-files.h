// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "../addon/file.h"
#include "protocol.h"
#include "silence.h"

namespace fleetflame {

/// Of all of this process together.
struct ForeignFileStats {
  /// Requests that were not answered in time.
  uint64_t hangs = 0;
  /// Requests that were not made because who would have to answer does not.
  uint64_t refused = 0;
  /// Helpers that wait for a file system now, and helpers that were started.
  uint64_t hungHelpers = 0;
  uint64_t startedHelpers = 0;
  /// Looked at and left alone: devices, pipes, sockets, directories, files of /proc and the like.
  uint64_t notRegular = 0;
};

struct ForeignFile {
  /// 0: none.
  uint64_t handle = 0;
  uint64_t size = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint32_t uid = 0;
  int64_t modifiedSeconds = 0;
  int64_t modifiedNanoseconds = 0;
};

/// Files of others, opened and read by a process that may hang (helper.cc). Each call takes a few 10 microseconds, and
/// at most a deadline: then the helper is left to itself, a new one takes its place, and whoever did not answer is not
/// asked again before the old one has come back. Handles of the old one are void.
///
/// May be called by any thread; calls wait for each other.
class ForeignFiles {
 public:
  /// Errors of this side; those of the helper are in protocol.h.
  enum Error : int { HUNG = 10003, FAILED = 10004 };

  explicit ForeignFiles(std::string procRoot = "/proc") : procRoot_(std::move(procRoot)) {}
  ~ForeignFiles();
  ForeignFiles(const ForeignFiles&) = delete;
  ForeignFiles& operator=(const ForeignFiles&) = delete;

  /// 0, an errno, or one of Error and protocol.h.
  int openMapped(uint32_t pid, const std::string& range, ForeignFile& out);
  int openPath(uint32_t pid, foreign::Base base, const std::string& path, uint32_t flags, ForeignFile& out);
  int list(uint32_t pid, foreign::Base base, const std::string& path, uint32_t flags, std::string& out);

  /// Bytes read, fewer at the end of the file; `error` as above.
  size_t read(uint64_t handle, uint64_t offset, void* out, size_t length, int& error);
  void close(uint64_t handle);
  /// Whether the helper that opened it is still there.
  bool has(uint64_t handle);

  /// At most `limit` bytes of /proc/PID/NAME.
  int readProc(uint32_t pid, const std::string& name, size_t limit, std::string& out);

  /// Ends the helper; the next call starts another.
  void dispose();

  static ForeignFileStats stats();

 private:
  using Take = std::function<void(const uint8_t* data, size_t size)>;

  int call(foreign::Request request, const std::string& text, foreign::Answer& answer, const Take& take);
  int open(foreign::Request request, const std::string& text, ForeignFile& out);
  bool start();
  /// Waits for an answer; `slowNs` is the time that the helper waited for others.
  int await(uint64_t& slowNs);
  void shareSilence();
  /// Whom the helper waits for in a request.
  Silent awaited(const foreign::Request& request) const;
  void abandon(const foreign::Request& request);
  void stop();

  const std::string procRoot_;
  std::mutex mutex_;
  Fd socket_;
  int helper_ = -1;
  foreign::Page* page_ = nullptr;
  /// Of the helper: a handle of another one is void.
  uint64_t generation_ = 0;
  uint32_t sequence_ = 0;
};

}  // namespace fleetflame

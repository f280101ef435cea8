// SPDX-License-Identifier: Apache-2.0
//
// What passes between the agent and the process that opens foreign files for it, over a SOCK_SEQPACKET socket:
//
//   request    Request, then `textBytes` of a path or a name
//   answer     Answer, then `bytes` of data; `more` tells of another one that belongs to it. No answer to `close`
//
// and a page that both map: which file system is about to be touched, and which ones are to be left alone.
//
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fleetflame::foreign {

/// Descriptors of the helper.
constexpr int SOCKET_FD = 3;
constexpr int PAGE_FD = 4;

enum class Op : uint32_t {
  /// The file behind a mapping: text is "start-end" as /proc/PID/map_files has it.
  openMapped,
  /// A path below a base: text is the path.
  openPath,
  /// The names in a directory below a base, each with a zero byte behind it.
  list,
  read,
  close,
  /// At most `length` bytes of /proc/PID/text.
  proc,
};

enum class Base : uint32_t {
  /// The root directory of the process; absolute links and `..` end inside of it.
  root,
  /// Its working directory; nothing above is reached.
  workingDirectory,
  /// The root directory of the agent.
  host,
};

/// No name on the way may be a symbolic link.
constexpr uint32_t NO_LINKS = 1;
/// No mount is crossed below the base.
constexpr uint32_t NO_CROSSING = 2;

/// Longer paths do not exist.
constexpr size_t MAX_TEXT_BYTES = 4096;
/// Data of one answer: a message has to fit the default size of a socket's buffer.
constexpr size_t MAX_DATA_BYTES = 64 << 10;
constexpr size_t MAX_SILENT_DEVICES = 64;

struct Request {
  uint32_t sequence;
  Op op;
  uint32_t pid;
  Base base;
  uint32_t flags;
  uint32_t handle;
  uint32_t textBytes;
  uint32_t reserved;
  uint64_t offset;
  uint64_t length;
};

/// Errors that are no errno.
constexpr int32_t NOT_REGULAR = 10001;
constexpr int32_t SILENT_DEVICE = 10002;

struct Answer {
  uint32_t sequence;
  /// 0, an errno, or one of the above.
  int32_t error;
  uint32_t handle;
  uint32_t uid;
  uint64_t size;
  uint64_t device;
  uint64_t inode;
  int64_t modifiedSeconds;
  int64_t modifiedNanoseconds;
  uint32_t bytes;
  uint32_t more;
};

struct Page {
  /// Which request is being worked on: one before the last, when closing a file takes long.
  std::atomic<uint32_t> sequence;
  /// Of the file that is about to be touched; 0 while that is not known.
  std::atomic<uint64_t> device;
  std::atomic<uint32_t> silentCount;
  std::atomic<uint64_t> silent[MAX_SILENT_DEVICES];
};

}  // namespace fleetflame::foreign

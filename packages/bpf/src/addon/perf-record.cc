// SPDX-License-Identifier: Apache-2.0
//
//   every record   header {type u32, misc u16, size u16} ... time u64
//   MMAP2          pid tid u32 | start length offset u64 | build id or file, 24 bytes | prot flags u32 | path\0
//     build id       size u8, reserved 3, bytes 20          (misc has MMAP_BUILD_ID)
//     file           major minor u32 | inode generation u64
//   COMM           pid tid u32 | name\0                     (misc has COMM_EXEC after an exec)
//   FORK, EXIT     pid parent tid ptid u32 | time u64
//   LOST           id u64 | count u64
//
#include "perf-record.h"

#include <linux/perf_event.h>

#include <cstring>

namespace fleetflame {
namespace {

constexpr size_t TIME_BYTES = sizeof(uint64_t);

// Linux 5.12; older headers do not have it.
constexpr uint16_t MISC_MMAP_BUILD_ID = 1 << 14;

/// Takes fixed-size numbers off the front of a record's body. After a read past the end everything
/// is 0 and ok() is false.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    if (bytes_.size() < sizeof(T)) {
      ok_ = false;
      bytes_ = {};
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }

  std::span<const uint8_t> takeBytes(size_t count) {
    if (bytes_.size() < count) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  /// The rest, up to its first zero byte.
  std::string_view takeText() {
    const auto* text = reinterpret_cast<const char*>(bytes_.data());
    const size_t length = bytes_.empty() ? 0 : strnlen(text, bytes_.size());
    bytes_ = {};
    return {text, length};
  }

  bool ok() const { return ok_; }

 private:
  std::span<const uint8_t> bytes_;
  bool ok_ = true;
};

void parseMap(Reader& body, uint16_t misc, ProcessRecord& out) {
  out.kind = ProcessRecord::Kind::map;
  out.pid = body.take<uint32_t>();
  out.tid = body.take<uint32_t>();
  out.start = body.take<uint64_t>();
  out.length = body.take<uint64_t>();
  out.fileOffset = body.take<uint64_t>();
  if (misc & MISC_MMAP_BUILD_ID) {
    const size_t size = body.take<uint8_t>();
    body.takeBytes(3);
    const auto bytes = body.takeBytes(MAX_BUILD_ID_BYTES);
    if (size <= bytes.size()) out.buildId = bytes.first(size);
  } else {
    out.file.major = body.take<uint32_t>();
    out.file.minor = body.take<uint32_t>();
    out.file.inode = body.take<uint64_t>();
    out.file.generation = body.take<uint64_t>();
  }
  body.takeBytes(2 * sizeof(uint32_t));
  out.text = body.takeText();
}

}  // namespace

bool parsePerfRecord(std::span<const uint8_t> bytes, ProcessRecord& out) {
  out = ProcessRecord{};
  if (bytes.size() < sizeof(perf_event_header) + TIME_BYTES) return false;
  perf_event_header header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memcpy(&out.timeNs, bytes.data() + bytes.size() - TIME_BYTES, TIME_BYTES);
  Reader body(bytes.subspan(sizeof header, bytes.size() - sizeof header - TIME_BYTES));
  switch (header.type) {
    case PERF_RECORD_MMAP2:
      parseMap(body, header.misc, out);
      break;
    case PERF_RECORD_COMM:
      out.kind = header.misc & PERF_RECORD_MISC_COMM_EXEC ? ProcessRecord::Kind::exec : ProcessRecord::Kind::comm;
      out.pid = body.take<uint32_t>();
      out.tid = body.take<uint32_t>();
      out.text = body.takeText();
      break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
      out.kind = header.type == PERF_RECORD_FORK ? ProcessRecord::Kind::fork : ProcessRecord::Kind::exit;
      out.pid = body.take<uint32_t>();
      out.parentPid = body.take<uint32_t>();
      out.tid = body.take<uint32_t>();
      break;
    case PERF_RECORD_LOST:
      out.kind = ProcessRecord::Kind::lost;
      body.take<uint64_t>();
      out.lost = body.take<uint64_t>();
      break;
    default:
      return false;
  }
  return body.ok();
}

}  // namespace fleetflame

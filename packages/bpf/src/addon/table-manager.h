// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../bpf/unwind-maps.h"
#include "../foreign/foreign-source.h"
#include "../unwind/reason.h"
#include "mapped-memory.h"
#include "table-image.h"

namespace fleetflame {

struct TableStats {
  /// In the kernel now.
  uint64_t tables = 0;
  uint64_t tableBytes = 0;
  uint64_t tableRows = 0;
  /// Waiting to be built.
  uint64_t waiting = 0;
  /// Since the start.
  uint64_t built = 0;
  /// Of `built`, those that the cache had.
  uint64_t fromCache = 0;
  uint64_t freed = 0;
  /// No room for the table, none for one more binary, or none in the queue.
  uint64_t refusedBytes = 0;
  uint64_t refusedTables = 0;
  uint64_t refusedQueue = 0;
  /// Binaries that describe no frames, and those that could not be opened or read.
  uint64_t withoutFrames = 0;
  uint64_t unreadable = 0;
  uint64_t buildCpuNs = 0;
};

/// A binary that is in use and whose table is not in the kernel.
struct RefusedTable {
  uint32_t binary = 0;
  /// What it would take; 0 when its making was given up before that was known.
  uint64_t rows = 0;
  uint64_t bytes = 0;
  /// A name of unwind::Refusal, or "budget".
  const char* reason = "";
};

/// The unwind tables of binaries that sampled processes have mapped: made by a thread of its own,
/// kept while a process uses them and a little longer, within a budget.
///
///   acquire(binary) --> place, pending --> queue --> thread: read, build, upload --> ready
///   release(place)  --> unused for a while, or its room is needed --> taken out of the kernel
class TableManager {
 public:
  /// Four bytes a row: about 8 million rows. A server with two hundred binaries in use has one million.
  static constexpr uint64_t DEFAULT_BUDGET_BYTES = 32 << 20;
  /// Each waits with a file that is open in the helper. Processes have 1,024 by default.
  static constexpr size_t MAX_WAITING = 256;

  using Open = std::function<ForeignSource()>;

  /// `cacheDirectory` keeps tables of binaries with a build id between runs; "" for none.
  TableManager(int tablesFd, int infosFd, uint64_t budgetBytes, std::string cacheDirectory);
  ~TableManager();
  TableManager(const TableManager&) = delete;
  TableManager& operator=(const TableManager&) = delete;

  /// The place of the binary's table, which counts as used once more; 0 when there is none left.
  /// `open` is called if the file is needed. `buildId` "" when there is none.
  uint32_t acquire(uint32_t binary, const std::string& buildId, const Open& open);

  /// For a table in use that is not there: asks for it again if it was turned away and may have room by now.
  /// True when there is nothing more to wait for.
  bool settle(uint32_t place, const std::string& buildId, const Open& open);

  void release(uint32_t place);

  /// Lets go of tables that were not used for a while.
  void tidy(uint64_t nowNs);

  TableStats stats() const;

  /// Binaries in use that have no table for lack of room, the largest first. May be called by any thread.
  std::vector<RefusedTable> refused() const;

 private:
  struct Slot {
    uint32_t binary = 0;
    uint32_t users = 0;
    /// 0 while there is no table in the kernel.
    uint64_t bytes = 0;
    uint64_t rows = 0;
    uint64_t unusedSinceNs = 0;
    /// Why there is none for lack of room, and what it would take.
    RefusedTable refused;
    /// In the queue or being built.
    bool waiting = false;
  };
  struct Job {
    uint32_t place;
    ForeignSource file;
    uint64_t fileBytes;
    std::string buildId;
  };

  void request(uint32_t place, const std::string& buildId, const Open& open);
  /// Whether a refused table cannot find room as things are.
  bool isHopeless(const Slot& slot) const;
  void run();
  void work(Job job);
  void drop(uint32_t place);
  /// Makes room by dropping tables that nobody uses, the oldest first; none when that would not do.
  bool makeRoom(uint64_t bytes);
  /// Bytes of tables that some process uses.
  uint64_t usedBytes() const;
  void refuse(uint32_t place, const RefusedTable& refused);
  /// From the cache, else from the file.
  unwind::Refusal make(Job& job, bool isVdso, TableImage& image, uint64_t& rows);
  /// Kernel memory that the table takes now, 0 when the kernel would not have it.
  uint64_t upload(uint32_t place, const TableImage& image);
  unwind_table_info& info(uint32_t place) { return infos_.as<unwind_table_info>()[place]; }

  const int tablesFd_;
  const uint64_t budgetBytes_;
  const std::string cacheDirectory_;
  MappedMemory infos_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<uint32_t, uint32_t> places_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  /// Places to take out of the kernel before they can be given away again.
  std::deque<uint32_t> dropped_;
  std::vector<Job> queue_;
  TableStats stats_;
  uint32_t generation_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace fleetflame

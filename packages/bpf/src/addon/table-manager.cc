// SPDX-License-Identifier: Apache-2.0
#include "table-manager.h"

#include <bpf/bpf.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>

#include "../unwind/build.h"
#include "../unwind/cache-file.h"
#include "clock.h"
#include "file.h"
#include "map-memory.h"
#include "mapping-list.h"
#include "signals-blocked.h"
#include "vdso.h"

namespace fleetflame {
namespace {

/// Until the table is there stacks end early, so it shall not take long; and the host comes first. At 10, on
/// CPUs that twenty wanted each, 100 ms of work took 20 s.
constexpr int THREAD_NICENESS = 5;
/// A program that runs again and again keeps its table.
constexpr uint64_t KEEP_UNUSED_NS = 60 * NS_PER_SECOND;
/// Kernel memory of a map besides its blocks.
constexpr uint64_t MAP_OVERHEAD_BYTES = 512;
/// Blocks in one system call, 1 MiB: a batch is copied into kernel memory first.
constexpr uint32_t BATCH_BLOCKS = 4096;

uint64_t threadCpuNs() { return static_cast<uint64_t>(readClock(CLOCK_THREAD_CPUTIME_ID)); }

bool isWithoutFrames(unwind::Refusal refusal) {
  using unwind::Refusal;
  return refusal == Refusal::NoFrames || refusal == Refusal::NoCode || refusal == Refusal::NotLoadable;
}

bool isTooLarge(unwind::Refusal refusal) {
  using unwind::Refusal;
  switch (refusal) {
    case Refusal::CodeTooWide:
    case Refusal::TooManyFunctions:
    case Refusal::TooManyCies:
    case Refusal::TooManyRows:
    case Refusal::TooManyRules:
    case Refusal::TooManyBytes:
      return true;
    default:
      return false;
  }
}

}  // namespace

TableManager::TableManager(int tablesFd, int infosFd, uint64_t budgetBytes, std::string cacheDirectory)
    : tablesFd_(tablesFd),
      budgetBytes_(budgetBytes),
      cacheDirectory_(std::move(cacheDirectory)),
      infos_(infosFd, MAX_UNWIND_TABLES * sizeof(unwind_table_info)) {
  // Place 0 means none.
  slots_.resize(1);
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

TableManager::~TableManager() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_one();
  thread_.join();
}

uint32_t TableManager::acquire(uint32_t binary, const std::string& buildId, const Open& open) {
  const std::lock_guard lock(mutex_);
  uint32_t place = 0;
  if (const auto at = places_.find(binary); at != places_.end()) {
    place = at->second;
  } else if (!free_.empty()) {
    place = free_.back();
    free_.pop_back();
  } else if (slots_.size() < MAX_UNWIND_TABLES) {
    place = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    stats_.refusedTables++;
    return 0;
  }
  Slot& slot = slots_[place];
  if (slot.binary == 0) {
    slot.binary = binary;
    places_.emplace(binary, place);
    info(place) = unwind_table_info{};
    info(place).state = TABLE_PENDING;
  }
  slot.users++;
  const uint32_t state = info(place).state;
  // What could not be opened or had no room gets another chance with another process.
  if (!slot.waiting && (state == TABLE_PENDING || (state == TABLE_REFUSED && !isHopeless(slot)))) request(place, buildId, open);
  return place;
}

bool TableManager::settle(uint32_t place, const std::string& buildId, const Open& open) {
  const std::lock_guard lock(mutex_);
  const Slot& slot = slots_[place];
  const uint32_t state = info(place).state;
  if (slot.waiting) return false;
  if (state == TABLE_REFUSED) {
    // No budget would do, or there may be room when others are gone.
    if (slot.refused.bytes == 0 || slot.refused.bytes > budgetBytes_) return true;
    if (!isHopeless(slot)) request(place, buildId, open);
    return false;
  }
  if (state != TABLE_PENDING) return true;
  request(place, buildId, open);
  // A file that could not be opened will not open the next time either.
  return !slot.waiting && queue_.size() < MAX_WAITING;
}

bool TableManager::isHopeless(const Slot& slot) const {
  return slot.refused.bytes == 0 || usedBytes() + slot.refused.bytes > budgetBytes_;
}

void TableManager::request(uint32_t place, const std::string& buildId, const Open& open) {
  if (queue_.size() >= MAX_WAITING) {
    stats_.refusedQueue++;
    return;
  }
  ForeignSource file;
  if (slots_[place].binary != VDSO_BINARY) {
    file = open();
    if (!file) {
      stats_.unreadable++;
      return;
    }
  }
  slots_[place].waiting = true;
  const uint64_t fileBytes = file.size();
  queue_.push_back({place, std::move(file), fileBytes, buildId});
  wake_.notify_one();
}

void TableManager::release(uint32_t place) {
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[place];
  if (--slot.users == 0) slot.unusedSinceNs = monotonicNs();
}

void TableManager::tidy(uint64_t nowNs) {
  const std::lock_guard lock(mutex_);
  for (uint32_t place = 1; place < slots_.size(); place++) {
    const Slot& slot = slots_[place];
    if (slot.binary != 0 && slot.users == 0 && !slot.waiting && slot.unusedSinceNs + KEEP_UNUSED_NS <= nowNs) drop(place);
  }
}

void TableManager::drop(uint32_t place) {
  Slot& slot = slots_[place];
  places_.erase(slot.binary);
  info(place).state = TABLE_NONE;
  if (slot.bytes != 0) {
    stats_.freed++;
    stats_.tables--;
    stats_.tableBytes -= slot.bytes;
    stats_.tableRows -= slot.rows;
  }
  slot = Slot{};
  dropped_.push_back(place);
  wake_.notify_one();
}

uint64_t TableManager::usedBytes() const {
  uint64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.users != 0 ? slot.bytes : 0;
  return bytes;
}

bool TableManager::makeRoom(uint64_t bytes) {
  if (usedBytes() + bytes > budgetBytes_) return false;
  while (stats_.tableBytes + bytes > budgetBytes_) {
    uint32_t oldest = 0;
    for (uint32_t place = 1; place < slots_.size(); place++) {
      const Slot& slot = slots_[place];
      if (slot.bytes == 0 || slot.users != 0) continue;
      if (oldest == 0 || slot.unusedSinceNs < slots_[oldest].unusedSinceNs) oldest = place;
    }
    if (oldest == 0) return false;
    drop(oldest);
  }
  return true;
}

void TableManager::run() {
  pthread_setname_np(pthread_self(), "fleetflame-tbl");
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), THREAD_NICENESS);
  std::unique_lock lock(mutex_);
  while (!stop_.load()) {
    if (!dropped_.empty()) {
      const uint32_t place = dropped_.front();
      dropped_.pop_front();
      lock.unlock();
      // Returns when no program can be using the table any more.
      bpf_map_delete_elem(tablesFd_, &place);
      lock.lock();
      free_.push_back(place);
    } else if (!queue_.empty()) {
      // Small files first: most processes then have all their tables early, whatever the largest takes.
      const auto smallest = std::ranges::min_element(queue_, {}, &Job::fileBytes);
      Job job = std::move(*smallest);
      queue_.erase(smallest);
      lock.unlock();
      work(std::move(job));
      lock.lock();
      stats_.buildCpuNs = threadCpuNs();
    } else {
      wake_.wait(lock);
    }
  }
}

unwind::Refusal TableManager::make(Job& job, bool isVdso, TableImage& image, uint64_t& rows) {
  using unwind::Refusal;
  const std::span<const uint8_t> vdso = isVdso ? vdsoImage() : std::span<const uint8_t>();
  unwind::MemorySource memory(vdso.data(), vdso.size());
  unwind::ByteSource& source = isVdso ? static_cast<unwind::ByteSource&>(memory) : job.file;
  unwind::ElfReader elf(source);
  unwind::Limits limits;
  // Not by the budget: what a table would take is known only when it is made, and is then on disk.
  limits.cancelled = &stop_;
  unwind::UnwindTable table;
  if (const Refusal refusal = elf.open(); refusal != Refusal::None) return refusal;
  const bool cacheable = !cacheDirectory_.empty() && unwind::isBuildId(job.buildId);
  const bool cached = cacheable && unwind::readCacheFile(cacheDirectory_, job.buildId, limits.maxBytes, table);
  if (!cached) {
    if (const Refusal refusal = unwind::build(elf, limits, table); refusal != Refusal::None) return refusal;
    // A cache that cannot be written costs time at the next start, nothing now.
    if (cacheable) unwind::writeCacheFile(cacheDirectory_, job.buildId, table);
  }
  rows = table.rows.size();
  if (!toTableImage(table, elf.segments(), image)) return Refusal::CodeTooWide;
  const std::lock_guard lock(mutex_);
  if (cached) stats_.fromCache++;
  return Refusal::None;
}

void TableManager::work(Job job) {
  using unwind::Refusal;
  bool isVdso = false;
  {
    const std::lock_guard lock(mutex_);
    isVdso = slots_[job.place].binary == VDSO_BINARY;
  }
  TableImage image;
  uint64_t rows = 0;
  const Refusal refusal = make(job, isVdso, image, rows);
  if (refusal == Refusal::Cancelled) return;
  if (refusal != Refusal::None) {
    const std::lock_guard lock(mutex_);
    if (isTooLarge(refusal)) {
      refuse(job.place, {slots_[job.place].binary, 0, 0, unwind::nameOf(refusal)});
      return;
    }
    slots_[job.place].waiting = false;
    if (job.file.isLost()) {
      // Not the file's fault: it stays pending, and is asked for again.
      stats_.unreadable++;
      return;
    }
    (isWithoutFrames(refusal) ? stats_.withoutFrames : stats_.unreadable)++;
    info(job.place).state = TABLE_WITHOUT_FRAMES;
    return;
  }
  const uint64_t bytes = image.blocks.size() + MAP_OVERHEAD_BYTES;
  {
    const std::lock_guard lock(mutex_);
    if (!makeRoom(bytes)) {
      refuse(job.place, {slots_[job.place].binary, rows, bytes, "budget"});
      return;
    }
    stats_.tableBytes += bytes;
  }
  const uint64_t uploaded = upload(job.place, image);
  const std::lock_guard lock(mutex_);
  stats_.tableBytes -= bytes;
  if (uploaded == 0) {
    refuse(job.place, {slots_[job.place].binary, rows, bytes, "kernel"});
    return;
  }
  Slot& slot = slots_[job.place];
  slot.waiting = false;
  slot.refused = RefusedTable{};
  slot.bytes = uploaded;
  slot.rows = rows;
  stats_.tables++;
  stats_.built++;
  stats_.tableBytes += uploaded;
  stats_.tableRows += rows;
  image.info.state = TABLE_PENDING;
  image.info.generation = ++generation_;
  info(job.place) = image.info;
  __atomic_store_n(&info(job.place).state, uint32_t{TABLE_READY}, __ATOMIC_RELEASE);
}

void TableManager::refuse(uint32_t place, const RefusedTable& refused) {
  Slot& slot = slots_[place];
  slot.waiting = false;
  // Counted once for each binary, not for each process that might have used it.
  if (slot.refused.binary == 0) stats_.refusedBytes++;
  slot.refused = refused;
  info(place).state = TABLE_REFUSED;
}

uint64_t TableManager::upload(uint32_t place, const TableImage& image) {
  const auto count = static_cast<uint32_t>(image.blockCount());
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_table", sizeof(uint32_t), TABLE_BLOCK_BYTES, count, &options));
  if (!map) return 0;
  std::vector<uint32_t> keys;
  for (uint32_t done = 0; done < count;) {
    uint32_t batch = std::min(count - done, BATCH_BLOCKS);
    keys.resize(batch);
    for (uint32_t i = 0; i < batch; i++) keys[i] = done + i;
    if (bpf_map_update_batch(map.get(), keys.data(), image.blocks.data() + size_t{done} * TABLE_BLOCK_BYTES, &batch, nullptr) != 0) {
      return 0;
    }
    done += batch;
  }
  const int fd = map.get();
  if (bpf_map_update_elem(tablesFd_, &place, &fd, BPF_ANY) != 0) return 0;
  return std::max(mapMemoryBytes(fd), static_cast<uint64_t>(image.blocks.size()));
}

std::vector<RefusedTable> TableManager::refused() const {
  std::vector<RefusedTable> all;
  const std::lock_guard lock(mutex_);
  for (const Slot& slot : slots_) {
    if (slot.users != 0 && slot.refused.binary != 0) all.push_back(slot.refused);
  }
  // Those of unknown size were too large for any budget.
  std::ranges::sort(all, std::ranges::greater{}, [](const RefusedTable& table) { return table.bytes - 1; });
  return all;
}

TableStats TableManager::stats() const {
  const std::lock_guard lock(mutex_);
  TableStats now = stats_;
  now.waiting = queue_.size();
  return now;
}

}  // namespace fleetflame

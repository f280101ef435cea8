// SPDX-License-Identifier: Apache-2.0
#include "foreign-files.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "../addon/clock.h"
#include "silence.h"

namespace fleetflame {
namespace {

using namespace foreign;

/// A disk that is busy answers within this; who does not is taken for silent.
constexpr uint64_t DEADLINE_NS = NS_PER_SECOND;
/// From here on it is late, if it waits for something else than a CPU.
constexpr uint64_t LATE_NS = NS_PER_SECOND / 4;
/// A helper that could run but finds no CPU hangs at nothing: on a host with a load of some hundred it waits seconds.
constexpr uint64_t STARVED_NS = 10 * NS_PER_SECOND;
/// Handles are numbers of JavaScript too: 2^20 files of 2^32 helpers.
constexpr uint64_t HANDLES = 1 << 20;

std::atomic<uint64_t> hangs{0};
std::atomic<uint64_t> refusals{0};
std::atomic<uint64_t> starts{0};
std::atomic<uint64_t> notRegular{0};
std::atomic<uint64_t> generations{0};

/// It lies beside the addon.
std::string helperPath() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&helperPath), &info) == 0 || !info.dli_fname) return "";
  const std::string addon = info.dli_fname;
  return addon.substr(0, addon.rfind('/') + 1) + "foreign-files";
}

/// Whether the process waits in the kernel, rather than for a CPU.
bool isBlocked(pid_t pid) {
  std::string text;
  if (!readFile("/proc/" + std::to_string(pid) + "/stat", 512, text)) return true;
  const size_t name = text.rfind(')');
  return name == std::string::npos || name + 2 >= text.size() || text[name + 2] != 'R';
}

/// Where a walk that crossed mounts may have come to: whatever processes of this user see in this mount namespace.
Silent walkOf(const std::string& procRoot, uint32_t pid) {
  const std::string process = procRoot + '/' + std::to_string(pid);
  struct stat space{};
  struct stat owner{};
  if (stat((process + "/ns/mnt").c_str(), &space) != 0) space.st_ino = 0;
  if (stat(process.c_str(), &owner) != 0) owner.st_uid = 0;
  return {Silent::walk, space.st_ino, owner.st_uid};
}

}  // namespace

ForeignFiles::~ForeignFiles() { stop(); }

void ForeignFiles::dispose() {
  const std::lock_guard lock(mutex_);
  stop();
}

void ForeignFiles::stop() {
  socket_ = Fd();
  if (page_) munmap(page_, sizeof(Page));
  page_ = nullptr;
  // It ends when it finds the socket closed; should it hang at closing files, it is nobody's to wait for.
  if (helper_ > 0) {
    kill(helper_, SIGKILL);
    if (waitpid(helper_, nullptr, WNOHANG) == 0) {
      Silence::get().add({Silent::process, static_cast<uint64_t>(helper_), 1}, helper_, monotonicNs());
    }
  }
  helper_ = -1;
}

bool ForeignFiles::start() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
  const Fd theirs(pair[1]);
  socket_ = Fd(pair[0]);
  const Fd memory(memfd_create("fleetflame-foreign", MFD_CLOEXEC));
  if (!memory || ftruncate(memory.get(), sizeof(Page)) != 0) return false;
  void* mapped = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (mapped == MAP_FAILED) return false;
  page_ = static_cast<Page*>(mapped);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; fd++) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  // Copies above first: either may have the number that the other wants.
  const Fd high(fcntl(theirs.get(), F_DUPFD_CLOEXEC, PAGE_FD + 1));
  const Fd highMemory(fcntl(memory.get(), F_DUPFD_CLOEXEC, PAGE_FD + 1));
  posix_spawn_file_actions_adddup2(&actions, high.get(), SOCKET_FD);
  posix_spawn_file_actions_adddup2(&actions, highMemory.get(), PAGE_FD);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: Ctrl-C is for the agent, which ends its helpers.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string program = helperPath();
  std::string root = procRoot_;
  std::string parent = std::to_string(getpid());
  char* arguments[] = {program.data(), root.data(), parent.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    stop();
    return false;
  }
  starts++;
  helper_ = pid;
  generation_ = ++generations;
  return true;
}

int ForeignFiles::await(uint64_t& slowNs) {
  const uint64_t startNs = monotonicNs();
  bool blocked = false;
  for (;;) {
    const uint64_t waited = monotonicNs() - startNs;
    const uint64_t left = waited < LATE_NS ? LATE_NS - waited : waited < DEADLINE_NS ? DEADLINE_NS - waited : LATE_NS;
    pollfd wanted{socket_.get(), POLLIN, 0};
    const int ready = poll(&wanted, 1, static_cast<int>(left / 1'000'000) + 1);
    const uint64_t now = monotonicNs() - startNs;
    if (ready > 0) {
      if (blocked) slowNs += now;
      return 0;
    }
    if (ready < 0 && errno != EINTR) return FAILED;
    if (now < LATE_NS) continue;
    blocked = isBlocked(helper_);
    if (now >= STARVED_NS || (now >= DEADLINE_NS && blocked)) {
      // It may have answered at the last moment.
      return poll(&wanted, 1, 0) > 0 ? 0 : HUNG;
    }
  }
}

void ForeignFiles::shareSilence() {
  const std::vector<uint64_t> devices = Silence::get().devices(monotonicNs());
  for (size_t i = 0; i < devices.size(); i++) page_->silent[i].store(devices[i]);
  page_->silentCount.store(static_cast<uint32_t>(devices.size()));
}

Silent ForeignFiles::awaited(const Request& request) const {
  const uint64_t device = page_->device.load();
  if (device != 0) return {Silent::device, device, 0};
  const bool isProc = request.op == Op::proc && page_->sequence.load() == request.sequence;
  return isProc ? Silent{Silent::process, request.pid, 0}
                : walkOf(procRoot_, request.base == Base::host ? 1 : request.pid);
}

/// The helper stays, waiting: as long as it does, who keeps it is not asked again.
void ForeignFiles::abandon(const Request& request) {
  hangs++;
  Silence::get().add(awaited(request), helper_, monotonicNs());
  helper_ = -1;
  socket_ = Fd();
  munmap(page_, sizeof(Page));
  page_ = nullptr;
}

int ForeignFiles::call(Request request, const std::string& text, Answer& answer, const Take& take) {
  if (text.size() > MAX_TEXT_BYTES || text.find('\0') != std::string::npos) return EINVAL;
  Silence& silence = Silence::get();
  const uint64_t nowNs = monotonicNs();
  const bool isWalk = request.op == Op::openPath || request.op == Op::list;
  const Silent process{Silent::process, request.pid, 0};
  const auto refuse = [] {
    refusals++;
    return SILENT_DEVICE;
  };
  const bool isClose = request.op == Op::close;
  if (!isClose && (silence.isFull() || (request.op == Op::proc && silence.isSilent(process, nowNs)))) return refuse();
  Silent walked{};
  if (isWalk && silence.hasWalks()) {
    walked = walkOf(procRoot_, request.base == Base::host ? 1 : request.pid);
    if (silence.isSilent(walked, nowNs)) request.flags |= NO_CROSSING;
  }
  if (helper_ < 0 && !start()) return FAILED;
  shareSilence();
  request.sequence = ++sequence_;
  request.textBytes = static_cast<uint32_t>(text.size());
  std::vector<uint8_t> message(sizeof request + text.size());
  std::memcpy(message.data(), &request, sizeof request);
  std::memcpy(message.data() + sizeof request, text.data(), text.size());
  // What closes a file gets no answer: it may hang when the next request comes, and then the socket fills up.
  if (send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EAGAIN) {
      abandon(request);
      return HUNG;
    }
    stop();
    return FAILED;
  }
  if (isClose) return 0;
  std::vector<uint8_t> buffer(sizeof answer + MAX_DATA_BYTES);
  uint64_t slowNs = 0;
  for (bool more = true; more;) {
    if (const int error = await(slowNs); error != 0) {
      if (error == HUNG) {
        abandon(request);
      } else {
        stop();
      }
      return error;
    }
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < static_cast<ssize_t>(sizeof answer)) {
      stop();
      return FAILED;
    }
    std::memcpy(&answer, buffer.data(), sizeof answer);
    if (answer.sequence != request.sequence || sizeof answer + answer.bytes != static_cast<size_t>(got)) {
      stop();
      return FAILED;
    }
    if (take && answer.bytes > 0) take(buffer.data() + sizeof answer, answer.bytes);
    more = answer.more != 0;
  }
  if (slowNs > 0) silence.late(awaited(request), slowNs, monotonicNs());
  if (answer.error == SILENT_DEVICE) return refuse();
  if (answer.error == NOT_REGULAR) notRegular++;
  if (slowNs > 0) return answer.error;
  if (request.op == Op::proc) {
    silence.end(process);
  } else if (const uint64_t device = page_->device.load(); device != 0) {
    silence.end({Silent::device, device, 0});
  }
  if (isWalk && walked.a != 0 && !(request.flags & NO_CROSSING)) silence.end(walked);
  return answer.error;
}

int ForeignFiles::open(Request request, const std::string& text, ForeignFile& out) {
  out = ForeignFile{};
  Answer answer{};
  const std::lock_guard lock(mutex_);
  const int error = call(request, text, answer, nullptr);
  if (error != 0) return error;
  out = {generation_ * HANDLES + answer.handle % HANDLES,
         answer.size,
         answer.device,
         answer.inode,
         answer.uid,
         answer.modifiedSeconds,
         answer.modifiedNanoseconds};
  return 0;
}

int ForeignFiles::openMapped(uint32_t pid, const std::string& range, ForeignFile& out) {
  Request request{};
  request.op = Op::openMapped;
  request.pid = pid;
  return open(request, range, out);
}

int ForeignFiles::openPath(uint32_t pid, Base base, const std::string& path, uint32_t flags, ForeignFile& out) {
  Request request{};
  request.op = Op::openPath;
  request.pid = pid;
  request.base = base;
  request.flags = flags;
  return open(request, path, out);
}

int ForeignFiles::list(uint32_t pid, Base base, const std::string& path, uint32_t flags, std::string& out) {
  Request request{};
  request.op = Op::list;
  request.pid = pid;
  request.base = base;
  request.flags = flags;
  out.clear();
  Answer answer{};
  const std::lock_guard lock(mutex_);
  return call(request, path, answer, [&](const uint8_t* data, size_t size) {
    out.append(reinterpret_cast<const char*>(data), size);
  });
}

size_t ForeignFiles::read(uint64_t handle, uint64_t offset, void* out, size_t length, int& error) {
  size_t done = 0;
  error = 0;
  while (done < length) {
    Request request{};
    request.op = Op::read;
    request.handle = static_cast<uint32_t>(handle % HANDLES);
    request.offset = offset + done;
    request.length = std::min(length - done, MAX_DATA_BYTES);
    Answer answer{};
    size_t got = 0;
    // Between parts others get their turn.
    const std::lock_guard lock(mutex_);
    if (helper_ < 0 || handle / HANDLES != generation_) {
      error = EBADF;
      return done;
    }
    error = call(request, "", answer, [&](const uint8_t* data, size_t size) {
      got = std::min(size, length - done);
      std::memcpy(static_cast<uint8_t*>(out) + done, data, got);
    });
    done += got;
    if (error != 0 || got < request.length) return done;
  }
  return done;
}

void ForeignFiles::close(uint64_t handle) {
  Request request{};
  request.op = Op::close;
  request.handle = static_cast<uint32_t>(handle % HANDLES);
  Answer answer{};
  const std::lock_guard lock(mutex_);
  if (helper_ >= 0 && handle / HANDLES == generation_) call(request, "", answer, nullptr);
}

bool ForeignFiles::has(uint64_t handle) {
  const std::lock_guard lock(mutex_);
  return helper_ >= 0 && handle / HANDLES == generation_;
}

int ForeignFiles::readProc(uint32_t pid, const std::string& name, size_t limit, std::string& out) {
  Request request{};
  request.op = Op::proc;
  request.pid = pid;
  request.length = limit;
  out.clear();
  Answer answer{};
  const std::lock_guard lock(mutex_);
  return call(request, name, answer, [&](const uint8_t* data, size_t size) {
    out.append(reinterpret_cast<const char*>(data), size);
  });
}

ForeignFileStats ForeignFiles::stats() {
  return {hangs.load(), refusals.load(), Silence::get().hung(), starts.load(), notRegular.load()};
}

}  // namespace fleetflame

// SPDX-License-Identifier: Apache-2.0
//
// Opens and reads files of others for the agent, in a process of its own: a file system that does not answer keeps
// whoever touches it, even from dying. Only plain files are opened, and only after a look by O_PATH, which neither
// opens a device nor waits at a pipe. A path is followed below the root of its process: links end inside of it.
//
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "protocol.h"

namespace {

using namespace fleetflame::foreign;

/// A mount or a rename at the same moment makes the kernel give up a walk that has to stay inside.
constexpr int MAX_TRIES = 16;
/// Names of a directory beyond this are left out.
constexpr size_t MAX_LIST_BYTES = 1 << 20;

Page* page;
std::string procRoot;
std::vector<int> files;
std::vector<uint64_t> devices;
std::vector<uint32_t> freeHandles;

struct Message {
  Answer answer;
  uint8_t data[MAX_DATA_BYTES];
} out;

/// Owns a descriptor of this process.
class Owned {
 public:
  explicit Owned(int fd) : fd_(fd) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int give() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Nobody listens any more: the agent has ended, or has given this process up.
void send(uint32_t bytes, bool more) {
  out.answer.bytes = bytes;
  out.answer.more = more ? 1 : 0;
  if (::send(SOCKET_FD, &out, sizeof out.answer + bytes, MSG_NOSIGNAL) < 0) _exit(0);
}

void fail(int error) {
  out.answer.error = error;
  send(0, false);
}

/// The file system of a file that is only pinned, without asking that file system.
uint64_t deviceOf(int fd) {
  struct statx info{};
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &info) != 0) return 0;
  return makedev(info.stx_dev_major, info.stx_dev_minor);
}

/// Says whose file system is touched next; false when it is one of those that do not answer.
bool enter(uint64_t device) {
  page->device.store(device);
  const uint32_t count = page->silentCount.load();
  for (uint32_t i = 0; i < count && i < MAX_SILENT_DEVICES; i++) {
    if (device != 0 && page->silent[i].load() == device) return false;
  }
  return true;
}

/// File systems whose "plain files" are the kernel talking: reading one may act, block, or tell what is nobody's to
/// read.
bool isPseudo(int fd) {
  struct statfs info{};
  if (fstatfs(fd, &info) != 0) return false;
  switch (static_cast<uint32_t>(info.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case SMACK_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case BPF_FS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case EFIVARFS_MAGIC:
    case PSTOREFS_MAGIC:
    case BINFMTFS_MAGIC:
    case 0x62656570:  // configfs
    case 0x65735543:  // fusectl
    case 0x19800202:  // mqueue
      return true;
    default:
      return false;
  }
}

std::string descriptorPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

int openToRead(int pinned) {
  const std::string path = descriptorPath(pinned);
  constexpr int FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  // Of a file of somebody else this needs a right that the agent does not have.
  const int fd = open(path.c_str(), FLAGS | O_NOATIME);
  return fd >= 0 || errno != EPERM ? fd : open(path.c_str(), FLAGS);
}

/// Answers with a handle of the pinned file, if it is a plain one.
void openPinned(const Owned& pinned) {
  const uint64_t device = deviceOf(pinned.get());
  if (!enter(device)) return fail(SILENT_DEVICE);
  struct stat info{};
  if (fstat(pinned.get(), &info) != 0) return fail(errno);
  if (!S_ISREG(info.st_mode) || isPseudo(pinned.get())) return fail(NOT_REGULAR);
  const int fd = openToRead(pinned.get());
  if (fd < 0) return fail(errno);
  uint32_t handle = static_cast<uint32_t>(files.size());
  if (freeHandles.empty()) {
    files.push_back(fd);
    devices.push_back(device);
  } else {
    handle = freeHandles.back();
    freeHandles.pop_back();
    files[handle] = fd;
    devices[handle] = device;
  }
  Answer& answer = out.answer;
  answer.handle = handle;
  answer.uid = info.st_uid;
  answer.size = static_cast<uint64_t>(info.st_size);
  answer.device = info.st_dev;
  answer.inode = info.st_ino;
  answer.modifiedSeconds = info.st_mtim.tv_sec;
  answer.modifiedNanoseconds = info.st_mtim.tv_nsec;
  send(0, false);
}

std::string processPath(uint32_t pid, const char* name) { return procRoot + '/' + std::to_string(pid) + '/' + name; }

/// Pins what is at a path below a base; -1 and errno.
int walk(const Request& request, const char* path, uint64_t extraFlags) {
  const std::string base = request.base == Base::host               ? "/"
                           : request.base == Base::workingDirectory ? processPath(request.pid, "cwd")
                                                                    : processPath(request.pid, "root");
  const Owned root(open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return -1;
  const uint64_t device = deviceOf(root.get());
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | extraFlags;
  how.resolve = RESOLVE_NO_MAGICLINKS | (request.base == Base::workingDirectory ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);
  if (request.flags & NO_LINKS) {
    how.resolve |= RESOLVE_NO_SYMLINKS;
    how.flags |= O_NOFOLLOW;
  }
  // First without leaving the base's file system: then it is known who does not answer.
  for (const bool crossing : {false, true}) {
    if (crossing && (request.flags & NO_CROSSING)) break;
    if (!enter(crossing ? 0 : device)) {
      errno = SILENT_DEVICE;
      return -1;
    }
    how.resolve = (how.resolve & ~uint64_t{RESOLVE_NO_XDEV}) | (crossing ? 0 : RESOLVE_NO_XDEV);
    int fd = -1;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      fd = static_cast<int>(syscall(SYS_openat2, root.get(), path, &how, sizeof how));
      if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    if (fd >= 0) return fd;
    if (crossing || errno != EXDEV) return -1;
  }
  errno = request.flags & NO_CROSSING ? SILENT_DEVICE : EXDEV;
  return -1;
}

void openPath(const Request& request, const char* path) {
  const Owned pinned(walk(request, path, 0));
  if (!pinned.valid()) return fail(errno);
  openPinned(pinned);
}

void openMapped(const Request& request, const char* range) {
  const Owned pinned(open(processPath(request.pid, "map_files/").append(range).c_str(), O_PATH | O_CLOEXEC));
  if (!pinned.valid()) return fail(errno);
  openPinned(pinned);
}

void list(const Request& request, const char* path) {
  const Owned pinned(walk(request, path, O_DIRECTORY));
  if (!pinned.valid()) return fail(errno);
  if (!enter(deviceOf(pinned.get()))) return fail(SILENT_DEVICE);
  Owned directory(openat(pinned.get(), ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
  if (!directory.valid()) return fail(errno);
  DIR* entries = fdopendir(directory.get());
  if (!entries) return fail(errno);
  directory.give();
  std::string names;
  while (const dirent* entry = readdir(entries)) {
    if (names.size() > MAX_LIST_BYTES) break;
    names.append(entry->d_name).push_back('\0');
  }
  closedir(entries);
  for (size_t at = 0;; at += MAX_DATA_BYTES) {
    const size_t bytes = names.size() - at < MAX_DATA_BYTES ? names.size() - at : MAX_DATA_BYTES;
    std::memcpy(out.data, names.data() + at, bytes);
    const bool more = at + bytes < names.size();
    send(static_cast<uint32_t>(bytes), more);
    if (!more) return;
  }
}

void readFile(const Request& request) {
  if (request.handle >= files.size() || files[request.handle] < 0) return fail(EBADF);
  if (!enter(devices[request.handle])) return fail(SILENT_DEVICE);
  const size_t want = request.length < MAX_DATA_BYTES ? request.length : MAX_DATA_BYTES;
  if (request.offset > INT64_MAX) return fail(EINVAL);
  size_t done = 0;
  while (done < want) {
    const ssize_t got =
        pread(files[request.handle], out.data + done, want - done, static_cast<off_t>(request.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  send(static_cast<uint32_t>(done), false);
}

void closeFile(const Request& request) {
  if (request.handle >= files.size() || files[request.handle] < 0) return;
  page->device.store(devices[request.handle]);
  close(files[request.handle]);
  files[request.handle] = -1;
  freeHandles.push_back(request.handle);
}

/// What was read before an error is kept: files of /proc end early when their process does.
void readProc(const Request& request, const char* name) {
  const Owned file(open(processPath(request.pid, name).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.valid()) return fail(errno);
  size_t bytes = 0;
  for (uint64_t left = request.length; left > 0;) {
    if (bytes == MAX_DATA_BYTES) {
      send(static_cast<uint32_t>(bytes), true);
      bytes = 0;
    }
    const size_t want = left < MAX_DATA_BYTES - bytes ? left : MAX_DATA_BYTES - bytes;
    const ssize_t got = read(file.get(), out.data + bytes, want);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      if (got < 0 && bytes == 0 && left == request.length) return fail(errno);
      break;
    }
    bytes += static_cast<size_t>(got);
    left -= static_cast<uint64_t>(got);
  }
  send(static_cast<uint32_t>(bytes), false);
}

/// Of what the agent may, only what opens files of others.
void dropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return;
  uint32_t keep[2]{};
  for (const int capability : {CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE}) {
    keep[CAP_TO_INDEX(capability)] |= CAP_TO_MASK(capability);
  }
  for (int i = 0; i < 2; i++) {
    data[i].permitted &= keep[i];
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  syscall(SYS_capset, &header, data);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  procRoot = argv[1];
  prctl(PR_SET_NAME, "fleetflame-file");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The agent may have ended before that took hold.
  if (std::to_string(getppid()) != argv[2]) return 0;
  syscall(SYS_close_range, static_cast<unsigned>(PAGE_FD + 1), ~0U, 0U);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  dropCapabilities();
  if (chdir("/") != 0) return 2;
  void* mapped = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_FD, 0);
  if (mapped == MAP_FAILED) return 2;
  page = static_cast<Page*>(mapped);

  struct {
    Request request;
    char text[MAX_TEXT_BYTES + 1];
  } in;
  for (;;) {
    const ssize_t got = recv(SOCKET_FD, &in, sizeof in.request + MAX_TEXT_BYTES, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < static_cast<ssize_t>(sizeof in.request)) return 0;
    const size_t text = static_cast<size_t>(got) - sizeof in.request;
    in.text[text] = '\0';
    out.answer = Answer{};
    out.answer.sequence = in.request.sequence;
    page->device.store(0);
    page->sequence.store(in.request.sequence);
    switch (in.request.op) {
      case Op::openMapped:
        openMapped(in.request, in.text);
        break;
      case Op::openPath:
        openPath(in.request, in.text);
        break;
      case Op::list:
        list(in.request, in.text);
        break;
      case Op::read:
        readFile(in.request);
        break;
      case Op::close:
        closeFile(in.request);
        break;
      case Op::proc:
        readProc(in.request, in.text);
        break;
    }
  }
}

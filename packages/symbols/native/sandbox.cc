// SPDX-License-Identifier: Apache-2.0
#include "sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <vector>

namespace fleetflame::symbols {

namespace {

#if defined(__x86_64__)
constexpr uint32_t ARCHITECTURE = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t ARCHITECTURE = AUDIT_ARCH_AARCH64;
#endif

/// Of everybody's share, what conversions take when others want the CPU too.
constexpr int NICENESS = 10;

void limit(__rlimit_resource resource, uint64_t value) {
  const rlimit both{value, value};
  setrlimit(resource, &both);
}

/// Memory, the pipe, the mapped file, and ending. Everything else fails with EPERM.
bool filterSystemCalls() {
  const uint32_t allowed[] = {SYS_read,        SYS_pread64,     SYS_write,      SYS_mmap,       SYS_munmap,
                              SYS_mremap,      SYS_mprotect,    SYS_madvise,    SYS_brk,        SYS_fstat,
                              SYS_newfstatat,  SYS_lseek,       SYS_close,      SYS_futex,      SYS_rt_sigreturn,
                              SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_getpid, SYS_gettid,     SYS_tgkill,
                              SYS_getrandom,   SYS_clock_gettime, SYS_exit,     SYS_exit_group};
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const uint32_t number : allowed) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

bool enterSandbox(const ProcessLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setpriority(PRIO_PROCESS, 0, NICENESS);
  // When the machine runs out of memory, this is what it should take back first.
  if (const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
    if (write(score, "1000", 4) < 0) errno = 0;
    close(score);
  }
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, limits.memoryBytes + limits.mappedBytes);
  limit(RLIMIT_CPU, limits.cpuSeconds);
  // The files are open; libdw would open others that the file names (.dwo, supplementary files).
  limit(RLIMIT_NOFILE, 0);
  return filterSystemCalls();
}

}  // namespace fleetflame::symbols

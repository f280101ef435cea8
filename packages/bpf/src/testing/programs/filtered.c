// SPDX-License-Identifier: Apache-2.0
// filtered: burns CPU. filtered fork: burns in a forked child, which is ended with its parent.
// filtered short: starts a child every 20 ms of CPU, one after the other.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void burn(double seconds) {
  const double end = cpu_seconds() + seconds;
  while (cpu_seconds() < end) {
    for (int i = 0; i < 100000; i++) sink += (unsigned long)i;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) burn(1e9);
  const int is_short = argv[1][0] == 's';
  for (;;) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      burn(is_short ? 0.02 : 1e9);
      _exit(0);
    }
    wait(NULL);
  }
}

// SPDX-License-Identifier: Apache-2.0
// Lives through what changes mappings: stages LIBRARY runs in a library opened late, then in a forked
// child, and then becomes another program image, which waits to be killed in after_exec.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
// GCC leaves the frame pointer of its caller in place in a function that calls nothing, whatever the options.
#define WITH_FRAME __asm__ volatile("" : : "r"(__builtin_frame_address(0)))
#define STAGE_SECONDS 0.7

static volatile unsigned long sink;

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

NOINLINE void in_child(void) {
  const double end = cpu_seconds() + STAGE_SECONDS;
  while (cpu_seconds() < end) {
    for (int i = 0; i < 100000; i++) sink += (unsigned long)i;
  }
}

NOINLINE void after_exec(void) {
  WITH_FRAME;
  for (;;) {
    for (int i = 0; i < 100000; i++) sink += (unsigned long)i;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (strcmp(argv[1], "again") == 0) after_exec();
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void (*in_library)(double) = (void (*)(double))dlsym(library, "in_library");
  if (!in_library) return 1;
  in_library(STAGE_SECONDS);
  const pid_t child = fork();
  if (child == 0) {
    in_child();
    _exit(0);
  }
  waitpid(child, NULL, 0);
  printf("%d\n", (int)child);
  fflush(stdout);
  execl("/proc/self/exe", "renamed-stages", "again", (char *)NULL);
  return 1;
}

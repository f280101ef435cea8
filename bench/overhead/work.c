// SPDX-License-Identifier: Apache-2.0
// work UNITS: a fixed amount of work under 30 frames, then prints the CPU nanoseconds that it took.
// work 0: works until it is killed.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
#define LEVELS 30

static volatile unsigned long sink;

NOINLINE void unit(void) {
  unsigned long x = sink;
  for (int i = 0; i < 10000000; i++) x = x * 6364136223846793005ul + 1442695040888963407ul;
  sink = x;
}

NOINLINE void descend(int levels, long units) {
  if (levels > 0) {
    descend(levels - 1, units);
  } else {
    for (long done = 0; units == 0 || done < units; done++) unit();
  }
  sink++;
}

int main(int argc, char **argv) {
  descend(LEVELS, argc > 1 ? atol(argv[1]) : 1);
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  printf("%lld\n", (long long)used.tv_sec * 1000000000ll + used.tv_nsec);
  return 0;
}

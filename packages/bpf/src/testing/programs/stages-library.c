// SPDX-License-Identifier: Apache-2.0
#include <time.h>

static volatile unsigned long sink;

void in_library(double seconds) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  const double end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
  do {
    for (int i = 0; i < 100000; i++) sink += (unsigned long)i;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < end);
}

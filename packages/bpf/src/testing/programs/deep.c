// SPDX-License-Identifier: Apache-2.0
// Burns CPU under argv[1] levels of recursion, and takes another way at every turn, so that few stacks are equal.
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
// GCC leaves the frame pointer of its caller in place in a function that calls nothing, whatever the options.
#define WITH_FRAME __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

static volatile unsigned long sink;

NOINLINE void burn(void) {
  WITH_FRAME;
  for (int i = 0; i < 20000; i++) sink += (unsigned long)i;
}

NOINLINE void descend(int levels, unsigned long way) {
  if (levels == 0) {
    burn();
  } else if (way & 1) {
    descend(levels - 1, way >> 1);
  } else {
    descend(levels - 1, way >> 1);
    sink++;
  }
  sink++;
}

int main(int argc, char **argv) {
  const int levels = argc > 1 ? atoi(argv[1]) : 10;
  for (unsigned long way = 0;; way++) descend(levels, way * 0x9e3779b97f4a7c15ul);
}

// SPDX-License-Identifier: Apache-2.0
// absent FILE PAGES: runs in a function whose callers lie on a stack in a mapped file, PAGES pages above, and
// drops the pages of the callers again and again, so that they are in the file but not in memory.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define PAGE 4096
#define STACK_BYTES (256 * 1024)

static volatile unsigned long sink;
static ucontext_t main_context, coroutine;
static char *stack;
static int pages;

NOINLINE void innermost(void) {
  char *here = (char *)((unsigned long)__builtin_frame_address(0) & ~(unsigned long)(PAGE - 1));

  for (;;) {
    // All above the page that this frame and its caller's begin in.
    madvise(here + 2 * PAGE, (size_t)(stack + STACK_BYTES - here - 2 * PAGE), MADV_DONTNEED);
    madvise(here + 2 * PAGE, (size_t)(stack + STACK_BYTES - here - 2 * PAGE), MADV_PAGEOUT);
    for (int i = 0; i < 20000000; i++) sink += (unsigned long)i;
  }
}

NOINLINE void large_frame(void) {
  volatile char room[8 * PAGE];

  room[0] = (char)pages;
  innermost();
  sink += (unsigned long)room[0];
}

NOINLINE void caller_in_file(void) {
  large_frame();
  sink++;
}

static void enter(void) { caller_in_file(); }

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, STACK_BYTES) != 0) return 1;
  pages = argc;
  stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (stack == MAP_FAILED) return 1;
  getcontext(&coroutine);
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = STACK_BYTES;
  coroutine.uc_link = &main_context;
  makecontext(&coroutine, enter, 0);
  swapcontext(&main_context, &coroutine);
  return 0;
}

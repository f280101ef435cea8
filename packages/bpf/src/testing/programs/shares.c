// SPDX-License-Identifier: Apache-2.0
// Spends 60, 30 and 10 % of its time in alpha, beta and gamma: main -> run -> alpha -> burn, and so on.
// Each run has a length of its own: one that is as long as the time between two samples, or a fraction of it, would
// be met at the same place each time, and the samples would not show the shares.
#define NOINLINE __attribute__((noinline))
// GCC leaves the frame pointer of its caller in place in a function that calls nothing, whatever the options.
#define WITH_FRAME __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

static volatile unsigned long sink;
static unsigned long unit = 60000;

NOINLINE void burn(unsigned long rounds) {
  WITH_FRAME;
  for (unsigned long i = 0; i < rounds; i++) sink += i * i;
}

NOINLINE void alpha(void) {
  burn(6 * unit);
  sink++;
}

NOINLINE void beta(void) {
  burn(3 * unit);
  sink++;
}

NOINLINE void gamma_(void) {
  burn(unit);
  sink++;
}

NOINLINE void run(void) {
  alpha();
  beta();
  gamma_();
  sink++;
}

int main(void) {
  unsigned long state = 88172645463325252UL;
  for (;;) {
    // xorshift
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    unit = 20000 + state % 80000;
    run();
  }
}

// SPDX-License-Identifier: Apache-2.0
// Spends 60, 30 and 10 % of its time in alpha, beta and gamma: main -> run -> alpha -> burn, and so on.
#define NOINLINE __attribute__((noinline))
// GCC leaves the frame pointer of its caller in place in a function that calls nothing, whatever the options.
#define WITH_FRAME __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

static volatile unsigned long sink;

NOINLINE void burn(unsigned long rounds) {
  WITH_FRAME;
  for (unsigned long i = 0; i < rounds; i++) sink += i * i;
}

NOINLINE void alpha(void) {
  burn(600000);
  sink++;
}

NOINLINE void beta(void) {
  burn(300000);
  sink++;
}

NOINLINE void gamma_(void) {
  burn(100000);
  sink++;
}

NOINLINE void run(void) {
  alpha();
  beta();
  gamma_();
  sink++;
}

int main(void) {
  for (;;) run();
}

/* Spends its time in inner, called by outer, called by main: a call chain with known addresses. */
#include <stdint.h>

volatile uint64_t sink;

__attribute__((noinline)) void inner(uint64_t rounds) {
  for (uint64_t i = 0; i < rounds; i++) sink += i * i;
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void outer(uint64_t rounds) {
  inner(rounds);
  __asm__ volatile("" ::: "memory");
}

int main(void) {
  for (;;) outer(1000000);
}

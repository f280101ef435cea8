// SPDX-License-Identifier: Apache-2.0
// Sends itself a signal with every system call, so that many samples fall between the end of the call and the first
// instruction of the handler, which nothing precedes: main -> send -> kill -> on_signal.
#include <signal.h>
#include <unistd.h>

static volatile int handled;

__attribute__((noinline, aligned(64))) static void on_signal(int signal) {
  handled += signal;
}

__attribute__((noinline)) static void send(int pid) {
  kill(pid, SIGUSR1);
  handled++;
}

int main(void) {
  signal(SIGUSR1, on_signal);
  for (;;) send(getpid());
}

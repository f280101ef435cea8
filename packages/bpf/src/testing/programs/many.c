/*
 * Starts COUNT programs one after another, PARALLEL at a time, each of which uses the CPU for MILLISECONDS in a
 * function of its own and ends: `many COUNT PARALLEL MILLISECONDS`. Prints how many ended, then waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile long sink;

__attribute__((noinline)) static void short_work(long milliseconds) {
  struct timespec now;
  do {
    for (int i = 0; i < 1000; i++) sink += i;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < milliseconds);
}

int main(int count, char** arguments) {
  if (count == 3 && strcmp(arguments[1], "child") == 0) {
    short_work(atol(arguments[2]));
    return 0;
  }
  if (count != 4) return 2;
  long left = atol(arguments[1]);
  long parallel = atol(arguments[2]);
  long running = 0;
  long ended = 0;
  while (left > 0 || running > 0) {
    while (left > 0 && running < parallel) {
      pid_t child = fork();
      if (child < 0) return 1;
      if (child == 0) {
        execl("/proc/self/exe", "many", "child", arguments[3], (char*)0);
        _exit(127);
      }
      left--;
      running++;
    }
    int status;
    if (wait(&status) < 0) return 1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
    running--;
    ended++;
  }
  printf("%ld\n", ended);
  fflush(stdout);
  pause();
  return 0;
}

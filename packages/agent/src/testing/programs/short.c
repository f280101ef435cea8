/* Uses the CPU for about 30 ms and ends: too short for anybody to look at it while it is there. */
#include <time.h>

int main(void) {
  struct timespec now;
  do {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec == 0 && now.tv_nsec < 30 * 1000 * 1000);
  return 0;
}

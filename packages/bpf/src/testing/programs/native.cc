// SPDX-License-Identifier: Apache-2.0
// The hard cases of unwinding, one per stage: native STAGE LIBRARY runs it until it is killed;
// native alone lists the stages.
// Compiled without frame pointers. A function that shall stay on the stack does something after its call.
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

extern "C" void linked_call(void (*callback)(void));

static volatile unsigned long sink;

extern "C" {

NOINLINE void burn(void) {
  for (int i = 0; i < 2000; i++) sink += static_cast<unsigned long>(i);
}

NOINLINE void descend(int levels) {
  if (levels == 0) {
    burn();
  } else {
    descend(levels - 1);
  }
  sink++;
}

NOINLINE void recursion(void) {
  descend(60);
  sink++;
}

NOINLINE void with_alloca(size_t bytes) {
  auto* memory = static_cast<char*>(alloca(bytes));
  std::memset(memory, 1, bytes);
  burn();
  sink += static_cast<unsigned long>(memory[sink % bytes]);
}

NOINLINE void allocas(void) {
  with_alloca(64 + sink % 4096);
  sink++;
}

// Keeps its stack on 64 bytes, so that the way back to the caller goes through a saved pointer.
NOINLINE __attribute__((target("avx"))) void aligned(void) {
  alignas(64) float values[64];
  const __m256 ones = _mm256_set1_ps(1);
  for (int i = 0; i < 64; i += 8) _mm256_store_ps(values + i, ones);
  burn();
  sink += static_cast<unsigned long>(values[sink % 64]);
}

NOINLINE void large_frame(void) {
  volatile char bytes[100000];
  bytes[sink % sizeof bytes] = 1;
  burn();
  sink += static_cast<unsigned long>(bytes[0]);
}

NOINLINE void throwing(int levels) {
  if (levels == 0) throw 1;
  throwing(levels - 1);
  sink++;
}

NOINLINE void exceptions(void) {
  try {
    throwing(10);
  } catch (int) {
    burn();
  }
  sink++;
}

// A good part of the time between two signals, which is a tick of the kernel.
NOINLINE void in_handler(void) {
  for (int i = 0; i < 200; i++) burn();
  sink++;
}

static void on_signal(int) {
  in_handler();
  sink++;
}

NOINLINE void interrupted(void) {
  for (int i = 0; i < 1000; i++) sink++;
}

NOINLINE void signals(void) {
  interrupted();
  sink++;
}

NOINLINE int compare(const void* a, const void* b) {
  for (int i = 0; i < 20; i++) sink++;
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

NOINLINE void sorting(void) {
  int values[256];
  for (int i = 0; i < 256; i++) values[i] = static_cast<int>((sink * 7919u + static_cast<unsigned>(i) * 104729u) % 1000u);
  qsort(values, 256, sizeof *values, compare);
  sink++;
}

NOINLINE void linked(void) {
  linked_call(burn);
  sink++;
}

static void (*opened_call)(void (*)(void));

NOINLINE void opened(void) {
  opened_call(burn);
  sink++;
}

NOINLINE void vforking(void) {
  const pid_t child = vfork();
  if (child == 0) {
    for (int i = 0; i < 500000; i++) sink++;
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  sink++;
}

NOINLINE void clock_reading(void) {
  timespec now;
  for (int i = 0; i < 100; i++) clock_gettime(CLOCK_MONOTONIC, &now);
  sink += static_cast<unsigned long>(now.tv_nsec);
}

NOINLINE void system_calls(void) {
  char bytes[1];
  for (int i = 0; i < 100; i++) sink += static_cast<unsigned long>(pread(0, bytes, 0, 0));
}

}  // extern "C"

namespace {

struct Shape {
  virtual ~Shape() = default;
  virtual void draw(int levels) = 0;
};

struct Circle final : Shape {
  Shape* next = nullptr;
  NOINLINE void draw(int levels) override {
    if (levels == 0) {
      burn();
    } else {
      next->draw(levels - 1);
    }
    sink++;
  }
};

struct Square final : Shape {
  Shape* next = nullptr;
  NOINLINE void draw(int levels) override {
    if (levels == 0) {
      burn();
    } else {
      next->draw(levels - 1);
    }
    sink++;
  }
};

Circle circle;
Square square;

}  // namespace

extern "C" NOINLINE void virtuals(void) {
  circle.draw(15);
  sink++;
}

struct Stage {
  const char* name;
  void (*run)(void);
};

static const Stage STAGES[] = {
    {"recursion", recursion}, {"allocas", allocas},   {"aligned", aligned},   {"large_frame", large_frame},
    {"exceptions", exceptions}, {"signals", signals}, {"sorting", sorting},   {"linked", linked},
    {"opened", opened},       {"vforking", vforking}, {"virtuals", virtuals}, {"clock_reading", clock_reading},
    {"system_calls", system_calls},
};

static void* in_thread(void* run) {
  for (;;) reinterpret_cast<void (*)(void)>(run)();
}

// The main thread of the stage "threads" sleeps; its work is in the others.
static int run_threads(void) {
  pthread_t threads[2];
  for (pthread_t& thread : threads) pthread_create(&thread, nullptr, in_thread, reinterpret_cast<void*>(recursion));
  for (;;) pause();
}

__attribute__((target("avx"))) int main(int argc, char** argv) {
  if (argc == 1) {
    std::puts("threads");
    for (const Stage& stage : STAGES) std::puts(stage.name);
    return 0;
  }
  if (argc < 3) return 2;
  alignas(32) float lanes[8] = {};
  circle.next = &square;
  square.next = &circle;
  void* library = dlopen(argv[2], RTLD_NOW);
  if (!library) return 3;
  opened_call = reinterpret_cast<void (*)(void (*)(void))>(dlsym(library, "opened_call"));
  if (std::strcmp(argv[1], "threads") == 0) return run_threads();
  if (std::strcmp(argv[1], "signals") == 0) {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigaction(SIGPROF, &action, nullptr);
    const itimerval often{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &often, nullptr);
  }
  for (const Stage& stage : STAGES) {
    if (std::strcmp(argv[1], stage.name) != 0) continue;
    for (;;) {
      stage.run();
      lanes[sink % 8] += 1;
      __asm__ volatile("" : : "m"(lanes));
    }
  }
  return 4;
}

// SPDX-License-Identifier: Apache-2.0
// Called through the procedure linkage table (linked_call) and after dlopen (opened_call).
static volatile unsigned long sink;

__attribute__((noinline)) static void in_library(void (*callback)(void)) {
  callback();
  sink++;
}

void linked_call(void (*callback)(void)) {
  in_library(callback);
  sink++;
}

void opened_call(void (*callback)(void)) {
  in_library(callback);
  sink++;
}

// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include "bpf-program.h"
#include "error.h"
#include "perf-ring.h"

namespace fleetflame {
namespace {

/// The error of an open that is closed at once, 0 if it went well.
int tried(int fd) {
  if (fd < 0) return -fd;
  close(fd);
  return 0;
}

}  // namespace

Napi::Value probe(const Napi::CallbackInfo& info) {
  constexpr int CPU = 0;
  constexpr uint32_t FREQUENCY_HZ = 19;
  constexpr size_t WAKEUP_BYTES = 1;
  libbpf_set_print([](enum libbpf_print_level, const char*, va_list) { return 0; });
  Napi::Object object = Napi::Object::New(info.Env());
  const auto setError = [&](const char* name, int error) {
    object.Set(name, error == 0 ? std::string() : errnoText(error));
  };
  object.Set("libbpf", libbpf_version_string());
  const auto ringBuffer = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr);
  const auto program = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, nullptr);
  const auto loop = libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_loop, nullptr);
  object.Set("ringBuffer", ringBuffer == 1);
  object.Set("perfEventProgram", program == 1);
  object.Set("bpfLoop", loop == 1);
  setError("clockEvent", tried(openClockEvent(CPU, FREQUENCY_HZ)));
  setError("processEvents", tried(openProcessEvents(CPU, WAKEUP_BYTES, false)));
  setError("processEventsWithBuildIds", tried(openProcessEvents(CPU, WAKEUP_BYTES, true)));
  return object;
}

}  // namespace fleetflame

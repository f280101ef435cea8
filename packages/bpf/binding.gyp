{
  "targets": [
    {
      "target_name": "fleetflame_bpf",
      "sources": [
        "src/addon/addon.cc",
        "src/addon/binary-table.cc",
        "src/addon/bpf-program.cc",
        "src/addon/build-id.cc",
        "src/addon/collection.cc",
        "src/addon/cpu-list.cc",
        "src/addon/event-queue.cc",
        "src/addon/file.cc",
        "src/addon/fold-table.cc",
        "src/addon/mapping-list.cc",
        "src/addon/perf-record.cc",
        "src/addon/perf-ring.cc",
        "src/addon/probe.cc",
        "src/addon/proc-text.cc",
        "src/addon/process-table.cc",
        "src/addon/sample-record.cc",
        "src/addon/sampler-object.cc",
        "src/addon/sampler.cc",
        "src/addon/stack-resolver.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")", "build/gen"],
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc": ["-std=gnu++20", "-fexceptions", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-fno-rtti"],
      "libraries": ["-lbpf", "-lelf", "-lz"],
      "variables": {
        "conditions": [
          ["target_arch=='arm64'", {"bpf_arch": "arm64", "multiarch": "aarch64-linux-gnu"},
                                   {"bpf_arch": "x86", "multiarch": "x86_64-linux-gnu"}],
        ],
      },
      "actions": [
        {
          "action_name": "bpf_skeleton",
          "inputs": [
            "src/bpf/arch-x86-64.h",
            "src/bpf/arch.h",
            "src/bpf/kernel-types.h",
            "src/bpf/process-id.h",
            "src/bpf/record.h",
            "src/bpf/sampler.bpf.c",
            "src/bpf/unwind-frame-pointer.h",
            "src/bpf/unwind-state.h",
            "src/bpf/unwind.h",
          ],
          "outputs": ["build/gen/sampler.skel.h"],
          "action": [
            "sh", "-c",
            "mkdir -p build/gen && clang -g -O2 -Wall -Werror -target bpf -D__TARGET_ARCH_<(bpf_arch) -I/usr/include/<(multiarch) -c src/bpf/sampler.bpf.c -o build/gen/sampler.bpf.o && bpftool gen skeleton build/gen/sampler.bpf.o name sampler_bpf > build/gen/sampler.skel.h",
          ],
          "message": "Compiling the BPF program and its skeleton",
        },
      ],
    }
  ]
}

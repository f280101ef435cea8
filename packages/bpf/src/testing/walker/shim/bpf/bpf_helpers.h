/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for libbpf's header where the BPF program's unwinder is compiled as a program: ../../walk.c. */
#ifndef FLEETFLAME_WALKER_BPF_HELPERS_H
#define FLEETFLAME_WALKER_BPF_HELPERS_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SEC(name)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name
#define __array(name, value) value *name[]

/* For the verifier; here it is of no use. */
#define barrier_var(value) (void)(value)

struct task_struct;

void *bpf_map_lookup_elem(const void *map, const void *key);
long bpf_probe_read_user(void *out, __u32 bytes, const void *address);
long bpf_loop(__u32 times, void *callback, void *context, __u64 flags);
/* Of no use without a kernel: never called here. */
void *bpf_task_pt_regs(struct task_struct *task);
struct task_struct *bpf_get_current_task_btf(void);
__u64 bpf_get_current_pid_tgid(void);

#endif

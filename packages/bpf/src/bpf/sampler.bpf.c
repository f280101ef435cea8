// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs on every interrupt of the CPU clock: writes down who was running and where, in the kernel and
 * in user space, and sends it through the ring buffer. It keeps nothing between two samples but counters.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "kernel-types.h"
#include "process-id.h"
#include "record.h"
#include "unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading: fill of the ring at which the addon is woken instead of waiting for its timer. */
const volatile __u32 wakeup_bytes = 1;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Resized before loading. */
	__uint(max_entries, 1 << 18);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample_counters);
} counters SEC(".maps");

/* A record is larger than the 512 bytes of BPF stack. Interrupts of the clock do not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample_record);
} scratch SEC(".maps");

static __always_inline void add_kernel_stack(struct bpf_perf_event_data *ctx, struct sample_record *record)
{
	long bytes = bpf_get_stack(ctx, record->frames, MAX_KERNEL_FRAMES * sizeof(__u64), 0);

	if (bytes <= 0)
		return;
	record->kernel_depth = (bytes / sizeof(__u64)) & (MAX_KERNEL_FRAMES);
	if (record->kernel_depth == MAX_KERNEL_FRAMES)
		record->flags |= SAMPLE_TRUNCATED;
}

static __always_inline void add_user_stack(struct bpf_perf_event_data *ctx, struct sample_record *record,
					   bool in_user)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct unwind_state state = {};
	__u32 flags = 0;

	if (in_user) {
		flags = arch_state_from_context(ctx, &state);
	} else if (!task->mm || (task->flags & PF_KTHREAD)) {
		record->flags |= SAMPLE_KERNEL_THREAD;
		return;
	} else if (!arch_state_from_task(task, &state, &flags)) {
		return;
	}
	record->flags |= flags;
	if (flags & SAMPLE_COMPAT) {
		record->frames[record->kernel_depth & (FRAME_SLOTS - 1)] = state.ip;
		record->user_depth = 1;
		record->flags |= SAMPLE_CHAIN_BROKEN;
		return;
	}
	unwind_user_stack(record, &state);
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct sample_counters *count;
	struct sample_record *record;
	struct process_id id;
	__u32 zero = 0, frames, size;
	bool in_user;
	__u64 flags;

	count = bpf_map_lookup_elem(&counters, &zero);
	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!count || !record)
		return 0;
	count->interrupts++;
	id = current_process_id();
	if (id.tid == 0) {
		count->idle++;
		return 0;
	}

	record->time_ns = bpf_ktime_get_ns();
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->tgid = id.tgid;
	record->tid = id.tid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record->flags = 0;
	record->kernel_depth = 0;
	record->user_depth = 0;

	in_user = arch_is_user(ctx);
	if (!in_user)
		add_kernel_stack(ctx, record);
	add_user_stack(ctx, record, in_user);

	if (record->flags & SAMPLE_READ_FAILED)
		count->read_failed++;
	if (record->flags & SAMPLE_TRUNCATED)
		count->truncated++;
	if (record->flags & SAMPLE_CHAIN_BROKEN)
		count->chain_broken++;

	frames = (record->kernel_depth + record->user_depth) & (FRAME_SLOTS - 1);
	size = SAMPLE_HEADER_BYTES + frames * sizeof(__u64);
	/* The addon looks on a timer; only a ring that fills faster than that wakes it. */
	flags = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&ring, record, size, flags))
		count->ring_full++;
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs on every interrupt of the CPU clock: writes down who was running and where, in the kernel and
 * in user space, and sends it through the ring buffer. It keeps nothing between two samples but counters.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <stdbool.h>

#include "filter.h"
#include "kernel-types.h"
#include "process-id.h"
#include "record.h"
#include "unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading: fill of the ring at which the addon is woken instead of waiting for its timer. */
const volatile __u32 wakeup_bytes = 1;

/*
 * A sample that the maps had nothing for wakes the addon, so that the next one of its process finds
 * everything in place. Not more often than this: a look costs the addon about 0.1 ms.
 */
#define PENDING_WAKEUP_NS 250000000ULL
__u64 pending_wakeup_ns = 0;

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

/* Larger than the 512 bytes of BPF stack. Interrupts of the clock do not nest. */
struct scratch_space {
	struct sample_record record;
	struct unwind_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch_space);
} scratch SEC(".maps");

static __always_inline void add_kernel_stack(struct bpf_perf_event_data *ctx, struct sample_record *record)
{
	long bytes = bpf_get_stack(ctx, record->frames, MAX_KERNEL_FRAMES * sizeof(__u64), 0);

	if (bytes <= 0) {
		/* Where it is, if not how it came there. */
		record->frames[0] = arch_instruction(ctx);
		record->kernel_depth = 1;
		record->flags |= SAMPLE_KERNEL_TRUNCATED;
		return;
	}
	record->kernel_depth = (bytes / sizeof(__u64)) & (MAX_KERNEL_FRAMES);
	if (record->kernel_depth == MAX_KERNEL_FRAMES)
		record->flags |= SAMPLE_KERNEL_TRUNCATED;
}

static __always_inline void add_user_stack(struct bpf_perf_event_data *ctx, struct sample_record *record,
					   struct unwind_state *state, bool in_user)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum arch_entry entry;

	if (!task->mm || (task->flags & PF_KTHREAD)) {
		record->flags |= SAMPLE_KERNEL_THREAD;
		return;
	}
	record->image = image_of(task);
	if (in_user)
		entry = arch_state_from_context(ctx, state) ? ARCH_USER : ARCH_COMPAT;
	else
		entry = arch_state_from_task(task, state);
	if (entry == ARCH_NO_USER)
		return;
	if (entry == ARCH_COMPAT) {
		record->frames[record->kernel_depth & (FRAME_SLOTS - 1)] = state->ip | FRAME_EXACT;
		record->user_depth = 1;
		record->end = END_COMPAT;
		return;
	}
	state->known = ALL_REGISTERS;
	state->bx_address = 0;
	state->map_start = 0;
	state->map_end = 0;
	state->flags = 0;
	state->window_bytes = 0;
	find_process(task, record->tgid, record->image, state);
	unwind_user_stack(record, state);
}

static __always_inline bool should_wake(const struct sample_record *record)
{
	bool pending = record->end == END_PROCESS_PENDING || record->end == END_NO_MAPPING;

	/* Two CPUs may both wake it; then it looks once. */
	if (pending && record->time_ns - pending_wakeup_ns >= PENDING_WAKEUP_NS) {
		pending_wakeup_ns = record->time_ns;
		return true;
	}
	/* The addon looks on a timer; only a ring that fills faster than that wakes it. */
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct sample_counters *count;
	struct sample_record *record;
	struct scratch_space *space;
	struct task_struct *task;
	struct process_id id;
	__u32 zero = 0, frames, size;
	bool in_user;
	__u64 flags;

	count = bpf_map_lookup_elem(&counters, &zero);
	space = bpf_map_lookup_elem(&scratch, &zero);
	if (!count || !space)
		return 0;
	record = &space->record;
	count->interrupts++;
	if (bpf_get_current_pid_tgid() == 0) {
		count->idle++;
		return 0;
	}
	task = bpf_get_current_task_btf();
	id = current_process_id(task);
	if (id.tgid == 0) {
		count->outside++;
		return 0;
	}
	if (is_excluded(task, id.tgid)) {
		count->excluded++;
		return 0;
	}

	record->time_ns = bpf_ktime_get_ns();
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->image = 0;
	record->tgid = id.tgid;
	record->tid = id.tid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record->flags = 0;
	record->end = END_NONE;
	record->kernel_depth = 0;
	record->user_depth = 0;

	in_user = arch_is_user(ctx);
	if (!in_user)
		add_kernel_stack(ctx, record);
	add_user_stack(ctx, record, &space->state, in_user);

	frames = (record->kernel_depth + record->user_depth) & (FRAME_SLOTS - 1);
	size = SAMPLE_HEADER_BYTES + frames * sizeof(__u64);
	flags = should_wake(record) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&ring, record, size, flags))
		count->ring_full++;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the BPF program and the addon share: the record of one sample, its limits, the counters.
 *
 *   0        8          16     20    24          40      44             46           48
 *   +--------+----------+------+-----+-----------+-------+--------------+------------+---------------+
 *   | time   | cgroup   | tgid | tid | comm[16]  | flags | kernel_depth | user_depth | frames, 8 B   |
 *   +--------+----------+------+-----+-----------+-------+--------------+------------+---------------+
 *
 * Frames are leaf first, all kernel frames before all user frames. Only the used length travels.
 */
#ifndef FLEETFLAME_RECORD_H
#define FLEETFLAME_RECORD_H

#include <linux/types.h>

/* Frames kept per side. 127 is also the kernel's default limit (kernel.perf_event_max_stack). */
#define MAX_KERNEL_FRAMES 127
#define MAX_USER_FRAMES 127
/* Slots of the frame array: a power of two above both limits together, so that a mask bounds an index. */
#define FRAME_SLOTS 256

#define COMM_BYTES 16

enum sample_flag {
	/* A page of the user stack could not be read. */
	SAMPLE_READ_FAILED = 1 << 0,
	/* More frames than MAX_KERNEL_FRAMES or MAX_USER_FRAMES. */
	SAMPLE_TRUNCATED = 1 << 1,
	/* The chain of callers ended before the outermost frame. */
	SAMPLE_CHAIN_BROKEN = 1 << 2,
	/* The first user frame is the instruction after a syscall instruction. */
	SAMPLE_USER_LEAF_IS_RETURN = 1 << 3,
	/* A task without user space. */
	SAMPLE_KERNEL_THREAD = 1 << 4,
	/* 32-bit code: its stack is not walked. */
	SAMPLE_COMPAT = 1 << 5,
};

struct sample_record {
	/* CLOCK_MONOTONIC, the clock of the process records too. */
	__u64 time_ns;
	__u64 cgroup_id;
	__u32 tgid;
	__u32 tid;
	char comm[COMM_BYTES];
	__u32 flags;
	__u16 kernel_depth;
	__u16 user_depth;
	__u64 frames[FRAME_SLOTS];
};

#define SAMPLE_HEADER_BYTES 48

/* One per CPU; the addon sums them. */
struct sample_counters {
	__u64 interrupts;
	__u64 idle;
	__u64 ring_full;
	__u64 read_failed;
	__u64 truncated;
	__u64 chain_broken;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the BPF program and the addon share: the record of one sample, its limits, the counters.
 *
 *   0      8        16      24     28    32         48      50    52             54           56
 *   +------+--------+-------+------+-----+----------+-------+-----+--------------+------------+-------------+
 *   | time | cgroup | image | tgid | tid | comm[16] | flags | end | kernel_depth | user_depth | frames, 8 B |
 *   +------+--------+-------+------+-----+----------+-------+-----+--------------+------------+-------------+
 *
 * Frames are leaf first, all kernel frames before all user frames. Only the used length travels.
 * A user frame is a return address unless it has FRAME_EXACT; the first one has it or not like the rest.
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

/*
 * In a user frame: the address is that of an instruction that was interrupted, not one to return to.
 * User addresses leave the upper bits free.
 */
#define FRAME_EXACT (1ULL << 63)

enum sample_flag {
	/* Kernel frames are missing: more than MAX_KERNEL_FRAMES, or only the first one is known. */
	SAMPLE_KERNEL_TRUNCATED = 1 << 0,
	/* A task without user space. */
	SAMPLE_KERNEL_THREAD = 1 << 1,
	/* At least one caller was found by its frame pointer. */
	SAMPLE_FRAME_POINTERS = 1 << 2,
	/* Code was met whose table is not built yet, or nothing of the process is in the maps yet. */
	SAMPLE_TABLES_PENDING = 1 << 3,
};

/* How the user stack ended. The numbers reach JavaScript (STACK_ENDS in collection.ts). */
enum stack_end {
	/* There is no user stack. */
	END_NONE,
	/* At the outermost frame: nothing is missing. */
	END_COMPLETE,
	/* More frames than MAX_USER_FRAMES. */
	END_TRUNCATED,
	/* A page of the stack could not be read. */
	END_READ_FAILED,
	/* A caller that cannot be one: below its callee, or not in user space. */
	END_BAD_FRAME,
	/* 32-bit code: its stack is not walked. */
	END_COMPAT,
	/*
	 * From here on there was no row for the address, and no frame pointer that passes for one,
	 * because: the process is not in the maps yet, */
	END_PROCESS_PENDING,
	/* no executable mapping covers it, */
	END_NO_MAPPING,
	/* it is in anonymous memory (JIT code), */
	END_ANONYMOUS,
	/* the table is not built yet, */
	END_TABLE_PENDING,
	/* there was no room for the table, */
	END_TABLE_REFUSED,
	/* the binary describes no frames, or they cannot be read, */
	END_NO_TABLE,
	/* it is in a gap between described functions, */
	END_NO_ROW,
	/* the row is one that cannot be followed. */
	END_UNSUPPORTED,
	STACK_ENDS,
};

struct sample_record {
	/* CLOCK_MONOTONIC, the clock of the process records too. */
	__u64 time_ns;
	__u64 cgroup_id;
	/* Which program image the process runs: the same in a forked child, another after exec. 0: none. */
	__u64 image;
	__u32 tgid;
	__u32 tid;
	char comm[COMM_BYTES];
	__u16 flags;
	__u16 end;
	__u16 kernel_depth;
	__u16 user_depth;
	__u64 frames[FRAME_SLOTS];
};

#define SAMPLE_HEADER_BYTES 56

/* One per CPU; the addon sums them. */
struct sample_counters {
	__u64 interrupts;
	__u64 idle;
	/* Of processes that are not in the agent's PID namespace: it cannot look at them. */
	__u64 outside;
	/* Of processes that the filter leaves out. */
	__u64 excluded;
	__u64 ring_full;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The ids of the current task as the addon knows processes. These are the ids of the initial PID
 * namespace, which are those of /proc and of the perf records as long as the agent runs there. For
 * an agent in a nested namespace, this is the one place to walk task->thread_pid->numbers[] to the
 * level of the agent's namespace instead.
 */
#ifndef FLEETFLAME_PROCESS_ID_H
#define FLEETFLAME_PROCESS_ID_H

#include <linux/types.h>

struct process_id {
	__u32 tgid;
	__u32 tid;
};

static __always_inline struct process_id current_process_id(void)
{
	__u64 both = bpf_get_current_pid_tgid();
	struct process_id id = { .tgid = both >> 32, .tid = (__u32)both };

	return id;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The ids of a task as the addon knows processes: those of the agent's own PID namespace. They are
 * also the ids in its /proc, and the kernel writes them into the perf records that the agent reads.
 *
 *   level 0, the host    pid 5120   <- bpf_get_current_pid_tgid()
 *   level 1, the agent's pid 37     <- wanted: thread_pid->numbers[1].nr
 *   level 2, a container pid 1
 *
 * A task of another namespace of the same level has a number there too, which is somebody else's
 * here. So the namespace itself is compared.
 */
#ifndef FLEETFLAME_PROCESS_ID_H
#define FLEETFLAME_PROCESS_ID_H

#include <linux/types.h>

#include "kernel-types.h"

struct process_id {
	/* 0 when the task is not in the agent's namespace. */
	__u32 tgid;
	__u32 tid;
};

/* The agent's namespace: written once, by find_agent_namespace. */
__u32 agent_level = 0;
__u64 agent_namespace = 0;

static __always_inline void read_number(struct pid *pid, __u32 level, struct upid *out)
{
	/* Not pid->numbers[level]: the size of a number is the kernel's matter. */
	const char *numbers = (const char *)pid + bpf_core_field_offset(struct pid, numbers);

	out->nr = 0;
	out->ns = 0;
	bpf_core_read(out, sizeof(*out), (const struct upid *)(numbers + level * bpf_core_type_size(struct upid)));
}

/* The agent's number of a process or thread by the pid structure of its task; 0 for none. */
static __always_inline __u32 number_of(struct pid *pid)
{
	struct upid number;

	if (!pid || pid->level < agent_level)
		return 0;
	read_number(pid, agent_level, &number);
	return (__u64)number.ns == agent_namespace ? number.nr : 0;
}

static __always_inline __u32 process_id_of(struct task_struct *task)
{
	/* On the host, which is where most agents are, the task says it directly. */
	if (agent_level == 0)
		return task->tgid;
	return number_of(task->group_leader->thread_pid);
}

static __always_inline struct process_id current_process_id(struct task_struct *task)
{
	__u64 both = bpf_get_current_pid_tgid();
	struct process_id id = { .tgid = both >> 32, .tid = (__u32)both };

	if (agent_level != 0) {
		id.tgid = process_id_of(task);
		id.tid = id.tgid ? number_of(task->thread_pid) : 0;
	}
	return id;
}

/* Run once by the addon, as itself: so it says where the agent is. */
SEC("raw_tp")
int find_agent_namespace(void *ctx)
{
	struct pid *pid = bpf_get_current_task_btf()->thread_pid;
	struct upid number;

	if (!pid)
		return 0;
	read_number(pid, pid->level, &number);
	agent_level = pid->level;
	agent_namespace = (__u64)number.ns;
	return 0;
}

#endif

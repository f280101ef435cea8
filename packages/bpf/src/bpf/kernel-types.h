/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel structures that the program reads, each with only the fields it reads. libbpf moves
 * the offsets to those of the running kernel (CO-RE), so neither kernel headers nor a generated
 * dump of all types is needed to build.
 */
#ifndef FLEETFLAME_KERNEL_TYPES_H
#define FLEETFLAME_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct file;

struct mm_struct {
	unsigned long start_stack;
	struct file *exe_file;
};

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	/* One for each level from 0 to `level`. */
	struct upid numbers[1];
};

struct task_struct {
	unsigned int flags;
	int tgid;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
};

#pragma clang attribute pop

/* task_struct.flags, include/linux/sched.h: a kernel thread, even one that borrows an mm. */
#define PF_KTHREAD 0x00200000

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which executable mapping of the current process covers an address. */
#ifndef FLEETFLAME_UNWIND_MAPPING_H
#define FLEETFLAME_UNWIND_MAPPING_H

#include "kernel-types.h"
#include "process-id.h"
#include "unwind-maps.h"
#include "unwind-state.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_UNWIND_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_UNWIND_MAPPINGS);
	__type(key, __u32);
	__type(value, struct unwind_mapping);
} mappings SEC(".maps");

/*
 * Tells program images apart without being told of execs: each has a stack at a random place and a
 * file of its own. Forked children share both, so what is known of the parent holds for them.
 */
static __always_inline __u64 image_of(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__u64 file = 0;

	/* A kernel thread may borrow one. */
	if (!mm || (task->flags & PF_KTHREAD))
		return 0;
	/* Read as a number: the verifier computes nothing with pointers. */
	bpf_core_read(&file, sizeof(file), &mm->exe_file);
	return mm->start_stack ^ file;
}

/* Finds the range of mappings of the current task's process. */
static __always_inline void find_process(struct task_struct *task, __u32 tgid, __u64 image, struct unwind_state *state)
{
	struct unwind_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process) {
		/* Just forked: what holds for the parent holds for the child, until it execs. */
		__u32 parent = process_id_of(task->real_parent);

		process = bpf_map_lookup_elem(&processes, &parent);
	}
	state->mapping_count = 0;
	if (process && process->image == image) {
		state->first_mapping = process->first;
		state->mapping_count = process->count;
	}
}

/* Of the last mapping that begins at or below the address, as a number from 0. 16 halvings are MAX_UNWIND_MAPPINGS. */
#define MAPPING_FIRST_STEP (MAX_UNWIND_MAPPINGS / 2)

/* Makes the mapping that covers `address` the state's. */
static __always_inline bool find_mapping(struct unwind_state *state, __u64 address)
{
	struct unwind_mapping *mapping;
	__u32 found = 0, key;

	if (address - state->map_start < state->map_end - state->map_start)
		return true;
	for (__u32 step = MAPPING_FIRST_STEP; step > 0; step >>= 1) {
		__u32 candidate = found + step;

		if (candidate >= state->mapping_count)
			continue;
		key = state->first_mapping + candidate;
		mapping = bpf_map_lookup_elem(&mappings, &key);
		if (!mapping)
			return false;
		/*
		 * All ones where mapping->start <= address, both below 2^63: arithmetic, so that the verifier has
		 * one path to follow.
		 */
		found += step & (__u32)(((__s64)(mapping->start - address - 1)) >> 63);
	}
	key = state->first_mapping + found;
	mapping = bpf_map_lookup_elem(&mappings, &key);
	if (!mapping || !state->mapping_count || address - mapping->start >= mapping->end - mapping->start)
		return false;
	state->map_start = mapping->start;
	state->map_end = mapping->end;
	state->map_file_offset = mapping->file_offset;
	state->map_table = mapping->table;
	return true;
}

#endif

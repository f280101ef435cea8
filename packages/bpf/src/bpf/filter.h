/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is the current process one that is not profiled? Asked before anything is done for a sample. */
#ifndef FLEETFLAME_FILTER_H
#define FLEETFLAME_FILTER_H

#include "filter-maps.h"
#include "kernel-types.h"
#include "process-id.h"
#include "unwind-mapping.h"

/* Bits of enum filter_flag: without a filter nothing is looked up. */
__u32 filter_flags = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_EXCLUDED_PROCESSES);
	__type(key, __u32);
	__type(value, struct excluded_process);
} excluded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_EXCLUDED_CGROUPS);
	__type(key, __u64);
	__type(value, __u8);
} excluded_cgroups SEC(".maps");

static __always_inline bool is_excluded(struct task_struct *task, __u32 tgid)
{
	struct excluded_process *entry;
	__u32 flags = filter_flags, parent;
	__u64 cgroup_id, image;

	if (!flags)
		return false;
	cgroup_id = bpf_get_current_cgroup_id();
	if ((flags & FILTER_CGROUPS) && bpf_map_lookup_elem(&excluded_cgroups, &cgroup_id))
		return true;
	if (!(flags & FILTER_PROCESSES))
		return false;
	image = image_of(task);
	entry = bpf_map_lookup_elem(&excluded, &tgid);
	/* Kernel threads have no image, and nothing from their parent. */
	if (!entry && image && (flags & FILTER_INHERITS)) {
		parent = process_id_of(task->real_parent);
		entry = bpf_map_lookup_elem(&excluded, &parent);
	}
	return entry && entry->image == image && entry->cgroup_id == cgroup_id;
}

#endif

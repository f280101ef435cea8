/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is not profiled, as the addon writes it:
 *
 *   excluded           tgid -> which program of it, and in which cgroup
 *   excluded_cgroups   cgroup id -> nothing: all processes in it (cgroup v2; version 1 has no ids here)
 */
#ifndef FLEETFLAME_FILTER_MAPS_H
#define FLEETFLAME_FILTER_MAPS_H

#include <linux/types.h>

/* The limit of the process table. */
#define MAX_EXCLUDED_PROCESSES 32768

/* Cgroups left out as a whole; when they are more, the addon forgets all and learns them anew. */
#define MAX_EXCLUDED_CGROUPS 4096

enum filter_flag {
	/* There are excluded processes, */
	FILTER_PROCESSES = 1 << 0,
	/* for what program they run, so that a forked child is excluded like its parent, */
	FILTER_INHERITS = 1 << 1,
	/* and excluded cgroups. */
	FILTER_CGROUPS = 1 << 2,
};

struct excluded_process {
	/* Of sample_record: after an exec, or in another cgroup, the process may be wanted. */
	__u64 image;
	__u64 cgroup_id;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FLEETFLAME_UNWIND_STATE_H
#define FLEETFLAME_UNWIND_STATE_H

#include <linux/types.h>

/* Registers of one frame of user space. A step turns those of a callee into those of its caller. */
struct unwind_state {
	__u64 ip;
	__u64 sp;
	__u64 bp;
};

enum unwind_result {
	/* The state is that of the caller now. */
	UNWIND_CONTINUE,
	/* There is no caller: the stack is whole. */
	UNWIND_COMPLETE,
	/* The stack could not be read. */
	UNWIND_READ_FAILED,
	/* There must be a caller, but it cannot be found. */
	UNWIND_BROKEN,
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The unwinder by frame pointers: one of those that can stand behind unwind.h. It provides
 * unwind_step and knows nothing of records or loops.
 *
 *      higher addresses
 *        | return address |  bp + 8
 *        | caller's bp    |  bp         <- bp
 *        | locals ...     |
 *        |                |             <- sp
 */
#ifndef FLEETFLAME_UNWIND_FRAME_POINTER_H
#define FLEETFLAME_UNWIND_FRAME_POINTER_H

#include "arch.h"
#include "unwind-state.h"

/*
 * No real frame is larger; a bp further above sp is a number that code without frame pointers
 * keeps in the register. 8 MiB is the usual limit of a whole stack.
 */
#define MAX_FRAME_BYTES (8 << 20)
/* The first page is never mapped. */
#define MIN_CODE_ADDRESS 4096

struct frame_link {
	__u64 bp;
	__u64 return_address;
};

static __always_inline int unwind_step(struct unwind_state *state)
{
	struct frame_link link;
	__u64 bp = state->bp;

	/* Entry code clears bp to mark the outermost frame (System V ABI). */
	if (bp == 0)
		return UNWIND_COMPLETE;
	if ((bp & 7) || bp < state->sp || bp - state->sp > MAX_FRAME_BYTES)
		return UNWIND_BROKEN;
	if (bpf_probe_read_user(&link, sizeof(link), (const void *)bp))
		return UNWIND_READ_FAILED;
	if (link.return_address == 0)
		return UNWIND_COMPLETE;
	if (link.return_address < MIN_CODE_ADDRESS || link.return_address >= ARCH_USER_ADDRESS_END)
		return UNWIND_BROKEN;
	state->ip = link.return_address;
	state->sp = bp + sizeof(link);
	state->bp = link.bp;
	return UNWIND_CONTINUE;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading the user's stack. A read of user memory costs 60 to 100 ns however little is read, and
 * a walk goes over the stack from its lower end to the upper: so a piece is copied at a time.
 *
 *         window_start          address
 *              |<- BELOW ->|<-    |
 *    ----------[===========[======x==========]---------------> higher addresses, towards the callers
 *
 * A window never crosses the end of a page, because one side may be readable and the other not.
 */
#ifndef FLEETFLAME_UNWIND_STACK_H
#define FLEETFLAME_UNWIND_STACK_H

#include <stdbool.h>

#include "unwind-state.h"

/* Below a return address lie the registers that its function saved. */
#define STACK_WINDOW_BELOW 64
#define STACK_PAGE_BYTES 4096

static __always_inline bool fill_window(struct unwind_state *state, __u64 address)
{
	__u64 page = address & ~(__u64)(STACK_PAGE_BYTES - 1);
	__u64 start = address - STACK_WINDOW_BELOW;
	__u64 bytes;

	if (start < page)
		start = page;
	bytes = page + STACK_PAGE_BYTES - start;
	/* Or the compiler compares another copy of it than it passes on, and the verifier sees no limit. */
	barrier_var(bytes);
	if (bytes > STACK_WINDOW_BYTES)
		bytes = STACK_WINDOW_BYTES;
	if (bpf_probe_read_user(state->window, bytes, (const void *)start)) {
		state->window_bytes = 0;
		return false;
	}
	state->window_start = start;
	state->window_bytes = bytes;
	return true;
}

static __always_inline bool read_word(__u64 *value, __u64 address)
{
	return bpf_probe_read_user(value, sizeof(*value), (const void *)address) == 0;
}

/* A word of the stack. False when it cannot be read. */
static __always_inline bool read_stack(struct unwind_state *state, __u64 *value, __u64 address)
{
	__u64 at;

	/* Nobody's stack is unaligned, so a window would be of no further use. */
	if (address & 7)
		return read_word(value, address);
	at = address - state->window_start;
	if (at >= state->window_bytes) {
		if (!fill_window(state, address))
			return read_word(value, address);
		at = address - state->window_start;
	}
	*value = state->window[(at / sizeof(__u64)) & (STACK_WINDOW_WORDS - 1)];
	return true;
}

#endif

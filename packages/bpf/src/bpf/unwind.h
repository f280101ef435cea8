/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks a user stack into a record: the loop around unwind_step. The loop is bpf_loop where the
 * kernel has it (5.17), else a bounded loop of the same body.
 */
#ifndef FLEETFLAME_UNWIND_H
#define FLEETFLAME_UNWIND_H

#include "record.h"
#include "unwind-state.h"
#include "unwind-step.h"

/* Set before loading. */
const volatile __u32 use_bpf_loop = 1;

struct unwind_walk {
	struct unwind_state *state;
	struct sample_record *record;
	__u32 slot;
	__u32 depth;
	int result;
};

static __always_inline long unwind_frame(struct unwind_walk *walk)
{
	__u32 slot = (walk->slot + walk->depth) & (FRAME_SLOTS - 1);
	struct unwind_state *state = walk->state;
	__u64 ip = state->ip;
	bool is_return = state->is_return;

	walk->depth++;
	walk->result = unwind_step(state);
	walk->record->frames[slot] = ip | (is_return && !state->is_signal_return ? 0 : FRAME_EXACT);
	return walk->result != UNWIND_CONTINUE;
}

static long unwind_callback(__u32 index, void *walk)
{
	return unwind_frame(walk);
}

/* Appends the frames of `state` and its callers to the record, and says how it ended. */
static __always_inline void unwind_user_stack(struct sample_record *record, struct unwind_state *state)
{
	struct unwind_walk walk = {
		.state = state,
		.record = record,
		.slot = record->kernel_depth,
		.result = UNWIND_CONTINUE,
	};

	if (use_bpf_loop) {
		bpf_loop(MAX_USER_FRAMES, unwind_callback, &walk, 0);
	} else {
		for (int i = 0; i < MAX_USER_FRAMES; i++) {
			if (unwind_frame(&walk))
				break;
		}
	}
	record->user_depth = walk.depth;
	record->end = walk.result == UNWIND_CONTINUE ? END_TRUNCATED : walk.result;
	record->flags |= state->flags;
}

#endif

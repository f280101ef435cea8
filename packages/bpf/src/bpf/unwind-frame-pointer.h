/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The caller by the frame pointer: for code that no table describes.
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
#include "unwind-mapping.h"
#include "unwind-stack.h"
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

/* `why`: the end of the stack when there is no frame pointer. */
static __always_inline int step_by_frame_pointer(struct unwind_state *state, int why)
{
	struct frame_link link;
	__u64 bp = state->registers[REGISTER_BP];
	__u64 sp = state->registers[REGISTER_SP];
	/* Where 0 is surely put there to end the chain. JIT compilers use bp for other things too. */
	bool ends_chain = why == END_NO_ROW || why == END_NO_TABLE || why == END_TABLE_REFUSED;

	if (!(state->known & (1 << REGISTER_BP)))
		return why;
	/* Entry code clears bp to mark the outermost frame (System V ABI); other code may do it by chance. */
	if (bp == 0)
		return ends_chain ? END_COMPLETE : why;
	if ((bp & 7) || bp < sp || bp - sp > MAX_FRAME_BYTES)
		return why;
	/* Upwards, so that one window has both. */
	if (!read_stack(state, &link.bp, bp) || !read_stack(state, &link.return_address, bp + sizeof(__u64)))
		return why;
	if (link.return_address == 0)
		return ends_chain ? END_COMPLETE : why;
	if (link.return_address < MIN_CODE_ADDRESS || link.return_address >= ARCH_USER_ADDRESS_END)
		return why;
	/* Where the mappings are known, nothing is believed that is not code. */
	if (state->mapping_count && !find_mapping(state, link.return_address - 1))
		return why;
	state->ip = link.return_address;
	state->registers[REGISTER_SP] = bp + sizeof(link);
	state->registers[REGISTER_BP] = link.bp;
	state->known = 1 << REGISTER_BP | 1 << REGISTER_SP;
	state->is_return = 1;
	state->flags |= SAMPLE_FRAME_POINTERS;
	return UNWIND_CONTINUE;
}

#endif

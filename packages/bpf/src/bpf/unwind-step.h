/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a frame to its caller: by the rule that the binary's table has for the address, else by the
 * frame pointer.
 */
#ifndef FLEETFLAME_UNWIND_STEP_H
#define FLEETFLAME_UNWIND_STEP_H

#include "arch.h"
#include "unwind-frame-pointer.h"
#include "unwind-lookup.h"
#include "unwind-mapping.h"
#include "unwind-row-cache.h"
#include "unwind-stack.h"
#include "unwind-state.h"

/* The value of a register in this frame. False when it is not known. */
static __always_inline bool get_register(struct unwind_state *state, __u32 reg, __u64 *value)
{
	reg &= UNWIND_REGISTERS - 1;
	if (!(state->known & (1 << reg)))
		return false;
	if (reg == REGISTER_BX && state->bx_address)
		return read_stack(state, value, state->bx_address);
	*value = state->registers[reg];
	return true;
}

static __always_inline bool is_deref(const struct unwind_rule *rule)
{
	return rule->cfa_kind == CFA_DEREF || rule->cfa_kind == CFA_DEREF_INDEXED;
}

/* Go's tables name the frame pointer only where a function calls on another stack: it leads back. */
static __always_inline bool is_stack_switch(const struct unwind_rule *rule, bool is_go)
{
	return is_go && rule->cfa_kind == CFA_REGISTER && rule->cfa_reg == REGISTER_BP;
}

static __always_inline int find_cfa(struct unwind_state *state, const struct unwind_rule *rule, __u64 *cfa)
{
	__u64 value, index;

	if (!get_register(state, rule->cfa_reg, &value))
		return END_UNSUPPORTED;
	value += (__s64)rule->cfa_offset;
	if (rule->cfa_kind == CFA_DEREF_INDEXED) {
		if (!get_register(state, rule->cfa_reg >> RULE_REGISTER_SHIFT, &index))
			return END_UNSUPPORTED;
		value += sizeof(__u64) * index;
	}
	if (is_deref(rule)) {
		if (!read_stack(state, &value, value))
			return END_READ_FAILED;
		value += (__s64)rule->cfa_add;
	} else if (rule->cfa_kind == CFA_PLT) {
		value += (__s64)(state->ip & 15) >= rule->cfa_add ? sizeof(__u64) : 0;
	}
	*cfa = value;
	return UNWIND_CONTINUE;
}

/* See TABLE_IS_GO. */
#define GO_BP_OFFSET 16

/* Leaves bp as it is where the rule says so, and marks it unknown where it is lost. */
static __always_inline int restore_bp(struct unwind_state *state, const struct unwind_rule *rule, __u64 cfa,
				      bool is_go, __u16 *known)
{
	__u32 kind = rule->rbp_rule & RULE_KIND_MASK;
	__u64 value = cfa;

	if (kind == RBP_SAME) {
		*known |= state->known & 1 << REGISTER_BP;
		if (is_go && state->registers[REGISTER_BP] == cfa - GO_BP_OFFSET) {
			if (!read_stack(state, &value, cfa - GO_BP_OFFSET))
				return END_READ_FAILED;
			state->registers[REGISTER_BP] = value;
		}
		return UNWIND_CONTINUE;
	}
	if (kind == RBP_UNDEFINED)
		return UNWIND_CONTINUE;
	if ((kind == RBP_AT_REGISTER || kind == RBP_IS_REGISTER) &&
	    !get_register(state, rule->rbp_rule >> RULE_REGISTER_SHIFT, &value))
		return UNWIND_CONTINUE;
	value += (__s64)rule->rbp_offset;
	if ((kind == RBP_AT_CFA || kind == RBP_AT_REGISTER) && !read_stack(state, &value, value))
		return END_READ_FAILED;
	state->registers[REGISTER_BP] = value;
	*known |= 1 << REGISTER_BP;
	return UNWIND_CONTINUE;
}

static __always_inline int step_by_rule(struct unwind_state *state, const struct unwind_rule *rule, bool is_go)
{
	__u64 cfa = 0, ip, sp = state->registers[REGISTER_SP];
	__u16 known = 1 << REGISTER_SP;
	int result;

	result = find_cfa(state, rule, &cfa);
	if (result != UNWIND_CONTINUE)
		return result;
	/* Stacks grow down: a caller's frame is above. Only a stack that the code itself changed to may not be. */
	if (!is_deref(rule) && !is_stack_switch(rule, is_go) && cfa < sp)
		return END_BAD_FRAME;
	if ((rule->ra_rule & RA_KIND_MASK) == RA_IS_REGISTER) {
		if (!get_register(state, rule->ra_rule >> RULE_REGISTER_SHIFT, &ip))
			return END_UNSUPPORTED;
	} else if (cfa == sp) {
		return END_BAD_FRAME;
	} else if (!read_stack(state, &ip, cfa - sizeof(__u64) * rule->ra_slot)) {
		return END_READ_FAILED;
	}
	/* Go changes stacks in functions whose description does not say so; the frame pointers go on. */
	if (is_go && ip && !find_mapping(state, ip - 1))
		return END_NO_MAPPING;
	result = restore_bp(state, rule, cfa, is_go, &known);
	if (result != UNWIND_CONTINUE)
		return result;
	if (rule->rbx_slot == 0) {
		known |= state->known & 1 << REGISTER_BX;
	} else if (rule->rbx_slot != RBX_LOST) {
		known |= 1 << REGISTER_BX;
		state->bx_address = cfa - sizeof(__u64) * rule->rbx_slot;
	}
	state->known = known;
	state->registers[REGISTER_SP] = cfa;
	state->ip = ip;
	state->is_return = !(rule->ra_rule & RA_EXACT);
	return ip ? UNWIND_CONTINUE : END_COMPLETE;
}

/* The frame is the return from a signal handler: the kernel saved what was interrupted above it. */
static __always_inline int step_over_signal(struct unwind_state *state)
{
	state->is_signal_return = 1;
	if (!arch_state_from_signal(state))
		return END_READ_FAILED;
	state->is_return = 0;
	return UNWIND_CONTINUE;
}

/* END_NO_ROW and the like leave the state as it was. */
static __always_inline int step_by_table(struct unwind_state *state, __u64 address)
{
	__u64 offset = address - state->map_start + state->map_file_offset;
	struct unwind_table_info *info;
	const struct unwind_rule *rule;
	__u32 key = state->map_table;
	struct cached_row *row;
	__u32 generation;

	if (key == 0)
		return END_ANONYMOUS;
	info = bpf_map_lookup_elem(&table_infos, &key);
	if (!info)
		return END_TABLE_PENDING;
	/* Before the state: a table that takes the place of another is not ready in between. */
	generation = info->generation;
	if (info->state != TABLE_READY) {
		if (info->state == TABLE_WITHOUT_FRAMES)
			return END_NO_TABLE;
		return info->state == TABLE_REFUSED ? END_TABLE_REFUSED : END_TABLE_PENDING;
	}
	row = cached_row(generation, offset);
	if (!row || offset >= TABLE_NO_KEY)
		return END_NO_ROW;
	if (row->generation != generation || row->offset != (__u32)offset) {
		void *table = bpf_map_lookup_elem(&tables, &key);

		if (!table)
			return END_TABLE_PENDING;
		rule = find_rule(info, table, offset);
		if (!rule)
			return END_NO_ROW;
		row->generation = generation;
		row->offset = offset;
		row->rule = *rule;
	}
	rule = &row->rule;
	if (rule->cfa_kind == CFA_NONE)
		return END_NO_ROW;
	if (rule->cfa_kind == CFA_END_OF_STACK)
		return END_COMPLETE;
	if (rule->cfa_kind == CFA_SIGNAL)
		return step_over_signal(state);
	if (rule->cfa_kind == CFA_UNSUPPORTED)
		return END_UNSUPPORTED;
	return step_by_rule(state, rule, info->flags & TABLE_IS_GO);
}

/*
 * A global function: the verifier looks at it once, for any state, and not once for every frame of
 * the bounded loop.
 */
__attribute__((noinline)) int unwind_step(struct unwind_state *state)
{
	int result = END_PROCESS_PENDING;
	__u64 address;

	if (!state)
		return END_NONE;
	address = state->ip - (state->is_return ? 1 : 0);
	state->is_signal_return = 0;
	if (state->mapping_count)
		result = find_mapping(state, address) ? step_by_table(state, address) : END_NO_MAPPING;
	if (result < END_PROCESS_PENDING)
		return result;
	if (result == END_PROCESS_PENDING || result == END_TABLE_PENDING)
		state->flags |= SAMPLE_TABLES_PENDING;
	/* Some C libraries and Go describe their return from signal handlers nowhere. */
	if ((result == END_NO_ROW || result == END_NO_TABLE) && arch_is_signal_return(state->ip))
		return step_over_signal(state);
	return step_by_frame_pointer(state, result);
}

#endif

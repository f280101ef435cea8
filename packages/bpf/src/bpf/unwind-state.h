/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FLEETFLAME_UNWIND_STATE_H
#define FLEETFLAME_UNWIND_STATE_H

#include <linux/types.h>

#include "record.h"

/* DWARF's numbers of the registers of x86-64: indexes of unwind_state.registers. */
#define UNWIND_REGISTERS 16
#define REGISTER_BX 3
#define REGISTER_DI 5
#define REGISTER_BP 6
#define REGISTER_SP 7
#define ALL_REGISTERS 0xffff

/* See unwind-stack.h; about five frames of usual code. A power of two. */
#define STACK_WINDOW_WORDS 64
#define STACK_WINDOW_BYTES (STACK_WINDOW_WORDS * sizeof(__u64))

/* One frame of user space. A step turns it from that of a callee into that of its caller. */
struct unwind_state {
	__u64 ip;
	__u64 registers[UNWIND_REGISTERS];
	/* Where the caller's bx was saved; read only when a frame is found by it. 0: registers has it. */
	__u64 bx_address;

	/* The mapping of the last frame: the next is often in the same one. */
	__u64 map_start;
	__u64 map_end;
	__u64 map_file_offset;
	__u32 map_table;

	/* Of struct unwind_process; no mappings: nothing is known of the process. */
	__u32 first_mapping;
	__u32 mapping_count;

	/* Bit per register: its value is known in this frame. */
	__u16 known;
	/* ip is an address to return to: what happened is one byte before it. */
	__u16 is_return;
	/* This frame is the kernel's return from a signal handler: nothing called it. */
	__u16 is_signal_return;
	/* SAMPLE_FRAME_POINTERS, SAMPLE_TABLES_PENDING */
	__u16 flags;

	/* Of the stack: what was copied last. */
	__u64 window_start;
	__u32 window_bytes;
	__u64 window[STACK_WINDOW_WORDS];
};

/* What a step returns: this while there are callers, else the enum stack_end that says why not. */
#define UNWIND_CONTINUE (-1)

#endif

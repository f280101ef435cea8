/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One unwind rule: how a frame's caller is found on x86-64. Plain C, because the BPF program reads
 * the same bytes.
 *
 *    0          1         2            3            4             8             12        14          15         16
 *   +----------+---------+------------+------------+-------------+-------------+---------+-----------+----------+
 *   | cfa_kind | cfa_reg | rbp_rule   | ra_rule    | cfa_offset  | rbp_offset  | cfa_add | ra_slot   | rbx_slot |
 *   |          |         | kind | reg | kind | reg | i32         | i32         | i16     | u8        | u8       |
 *   +----------+---------+------------+------------+-------------+-------------+---------+-----------+----------+
 *
 * rbp_rule and ra_rule hold a kind in the low four bits and a DWARF register number in the high four.
 *
 * The caller's registers, computed from the callee's:
 *
 *   rsp  the CFA
 *   rip  *(CFA - 8 * ra_slot), or a register
 *   rbp  unchanged, *(CFA + rbp_offset), *(reg + rbp_offset), ...
 *   rbx  unchanged (rbx_slot 0), *(CFA - 8 * rbx_slot), or lost (255). A walker need not read it: it
 *        remembers where rbx lies, and reads that only in the rare frame whose CFA is found by rbx.
 *
 * cfa_reg is a DWARF register number. Registers other than rsp, rbp and rbx are known in the
 * interrupted frame only (or after a signal frame): a rule with another register can be followed
 * there, and nowhere else.
 */
#ifndef FLEETFLAME_UNWIND_RULE_H
#define FLEETFLAME_UNWIND_RULE_H

#include <linux/types.h>

enum unwind_cfa_kind {
	/* No description of this code: the gap between functions, or what comes after the last one. */
	CFA_NONE,
	/* The return address is undefined: the outermost frame. */
	CFA_END_OF_STACK,
	/* reg + cfa_offset */
	CFA_REGISTER,
	/* *(reg + cfa_offset) + cfa_add */
	CFA_DEREF,
	/* *(reg + 8 * index + cfa_offset) + cfa_add; the index register is in the high four bits of cfa_reg */
	CFA_DEREF_INDEXED,
	/* rsp + cfa_offset + ((rip & 15) >= cfa_add ? 8 : 0): an entry of the procedure linkage table */
	CFA_PLT,
	/* All registers were saved by the kernel at rsp + UNWIND_SIGCONTEXT_OFFSET. */
	CFA_SIGNAL,
	/* There is a description, but no rule can say it; the reason is in cfa_offset. */
	CFA_UNSUPPORTED,
};

enum unwind_rbp_kind {
	RBP_SAME,
	/* *(CFA + rbp_offset) */
	RBP_AT_CFA,
	/* *(reg + rbp_offset), of the callee's reg */
	RBP_AT_REGISTER,
	/* CFA + rbp_offset */
	RBP_IS_CFA,
	/* reg + rbp_offset */
	RBP_IS_REGISTER,
	/* Lost: a frame that needs it cannot be followed. */
	RBP_UNDEFINED,
};

enum unwind_ra_kind {
	RA_AT_CFA,
	/* __vfork keeps it in rdi. */
	RA_IS_REGISTER,
};

/* In ra_rule: the caller was interrupted, so its address is not that of a return. */
#define RA_EXACT 0x08
#define RA_KIND_MASK 0x07
#define RULE_KIND_MASK 0x0f
#define RULE_REGISTER_SHIFT 4

#define RBX_LOST 255

/*
 * Where the kernel saves registers for a signal handler, from the stack pointer at its return
 * (struct ucontext, uc_mcontext): r8 .. r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
 */
#define UNWIND_SIGCONTEXT_OFFSET 40
#define UNWIND_SIGCONTEXT_RBP (UNWIND_SIGCONTEXT_OFFSET + 10 * 8)
#define UNWIND_SIGCONTEXT_RBX (UNWIND_SIGCONTEXT_OFFSET + 11 * 8)
#define UNWIND_SIGCONTEXT_RSP (UNWIND_SIGCONTEXT_OFFSET + 15 * 8)
#define UNWIND_SIGCONTEXT_RIP (UNWIND_SIGCONTEXT_OFFSET + 16 * 8)

struct unwind_rule {
	__u8 cfa_kind;
	__u8 cfa_reg;
	__u8 rbp_rule;
	__u8 ra_rule;
	__s32 cfa_offset;
	__s32 rbp_offset;
	__s16 cfa_add;
	__u8 ra_slot;
	__u8 rbx_slot;
};

/* Rules that every table has, at these places. */
#define UNWIND_RULE_NONE 0
#define UNWIND_RULE_END_OF_STACK 1
#define UNWIND_FIXED_RULES 2

#endif

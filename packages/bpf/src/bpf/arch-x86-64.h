/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FLEETFLAME_ARCH_X86_64_H
#define FLEETFLAME_ARCH_X86_64_H

#include <linux/bpf_perf_event.h>
#include <stdbool.h>

#include "kernel-types.h"
#include "record.h"
#include "unwind-state.h"

/* Five-level page tables give user space 56 bits. */
#define ARCH_USER_ADDRESS_END (1ULL << 56)

/* Privilege level in the low bits of the code segment selector: 3 is user mode. */
#define CS_PRIVILEGE_MASK 3
/* Selector of 32-bit user code (__USER32_CS). */
#define CS_USER_32 0x23

/* The kernel's names of the registers differ from those of the user-space header, hence the flavour. */
struct pt_regs___kernel {
	unsigned long bp;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long sp;
} __attribute__((preserve_access_index));

static __always_inline bool arch_is_user(struct bpf_perf_event_data *ctx)
{
	return (ctx->regs.cs & CS_PRIVILEGE_MASK) == CS_PRIVILEGE_MASK;
}

static __always_inline __u32 arch_state_from_context(struct bpf_perf_event_data *ctx, struct unwind_state *state)
{
	state->ip = ctx->regs.rip;
	state->sp = ctx->regs.rsp;
	state->bp = ctx->regs.rbp;
	return ctx->regs.cs == CS_USER_32 ? SAMPLE_COMPAT : 0;
}

static __always_inline bool arch_state_from_task(struct task_struct *task, struct unwind_state *state, __u32 *flags)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);
	unsigned long cs = regs->cs;

	if ((cs & CS_PRIVILEGE_MASK) != CS_PRIVILEGE_MASK)
		return false;
	state->ip = regs->ip;
	state->sp = regs->sp;
	state->bp = regs->bp;
	*flags = cs == CS_USER_32 ? SAMPLE_COMPAT : 0;
	/* orig_ax is the number of the syscall, and -1 after an interrupt or a fault: there ip is exact. */
	if ((long)regs->orig_ax >= 0)
		*flags |= SAMPLE_USER_LEAF_IS_RETURN;
	return true;
}

#endif

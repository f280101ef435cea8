/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FLEETFLAME_ARCH_X86_64_H
#define FLEETFLAME_ARCH_X86_64_H

#include <linux/bpf_perf_event.h>
#include <stdbool.h>

#include "kernel-types.h"
#include "../unwind/rule.h"
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
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long sp;
} __attribute__((preserve_access_index));

static __always_inline bool arch_is_user(struct bpf_perf_event_data *ctx)
{
	return (ctx->regs.cs & CS_PRIVILEGE_MASK) == CS_PRIVILEGE_MASK;
}

static __always_inline __u64 arch_instruction(struct bpf_perf_event_data *ctx)
{
	return ctx->regs.rip;
}

/* The order of DWARF: ax dx cx bx si di bp sp r8 ... r15. */
static __always_inline bool arch_state_from_context(struct bpf_perf_event_data *ctx, struct unwind_state *state)
{
	state->ip = ctx->regs.rip;
	state->is_return = 0;
	state->registers[0] = ctx->regs.rax;
	state->registers[1] = ctx->regs.rdx;
	state->registers[2] = ctx->regs.rcx;
	state->registers[REGISTER_BX] = ctx->regs.rbx;
	state->registers[4] = ctx->regs.rsi;
	state->registers[REGISTER_DI] = ctx->regs.rdi;
	state->registers[REGISTER_BP] = ctx->regs.rbp;
	state->registers[REGISTER_SP] = ctx->regs.rsp;
	state->registers[8] = ctx->regs.r8;
	state->registers[9] = ctx->regs.r9;
	state->registers[10] = ctx->regs.r10;
	state->registers[11] = ctx->regs.r11;
	state->registers[12] = ctx->regs.r12;
	state->registers[13] = ctx->regs.r13;
	state->registers[14] = ctx->regs.r14;
	state->registers[15] = ctx->regs.r15;
	return ctx->regs.cs != CS_USER_32;
}

/*
 * Whether ip is what follows a syscall instruction. orig_ax is the number of the syscall, and -1 after an interrupt or
 * a fault: there ip is exact. It is exact too when a signal was put before the return of the syscall: ip is the first
 * instruction of the handler then, sp its frame, which begins with a return address, and dx the context behind that.
 * The instruction leaves ip in cx, but for processors with FRED.
 */
static __always_inline bool arch_is_after_syscall(struct pt_regs___kernel *regs)
{
	bool in_handler = regs->cx != regs->ip && regs->dx == regs->sp + sizeof(__u64);

	return (long)regs->orig_ax >= 0 && !in_handler;
}

static __always_inline enum arch_entry arch_state_from_task(struct task_struct *task, struct unwind_state *state)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);
	unsigned long cs = regs->cs;

	if ((cs & CS_PRIVILEGE_MASK) != CS_PRIVILEGE_MASK)
		return ARCH_NO_USER;
	state->ip = regs->ip;
	state->is_return = arch_is_after_syscall(regs);
	state->registers[0] = regs->ax;
	state->registers[1] = regs->dx;
	state->registers[2] = regs->cx;
	state->registers[REGISTER_BX] = regs->bx;
	state->registers[4] = regs->si;
	state->registers[REGISTER_DI] = regs->di;
	state->registers[REGISTER_BP] = regs->bp;
	state->registers[REGISTER_SP] = regs->sp;
	state->registers[8] = regs->r8;
	state->registers[9] = regs->r9;
	state->registers[10] = regs->r10;
	state->registers[11] = regs->r11;
	state->registers[12] = regs->r12;
	state->registers[13] = regs->r13;
	state->registers[14] = regs->r14;
	state->registers[15] = regs->r15;
	return cs == CS_USER_32 ? ARCH_COMPAT : ARCH_USER;
}

/* struct sigcontext of the kernel. */
struct signal_registers {
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 di, si, bp, bx, dx, ax, cx, sp, ip;
};

static __always_inline bool arch_state_from_signal(struct unwind_state *state)
{
	const void *saved = (const void *)(state->registers[REGISTER_SP] + UNWIND_SIGCONTEXT_OFFSET);
	struct signal_registers regs;

	if (bpf_probe_read_user(&regs, sizeof(regs), saved))
		return false;
	state->ip = regs.ip;
	state->registers[0] = regs.ax;
	state->registers[1] = regs.dx;
	state->registers[2] = regs.cx;
	state->registers[REGISTER_BX] = regs.bx;
	state->registers[4] = regs.si;
	state->registers[REGISTER_DI] = regs.di;
	state->registers[REGISTER_BP] = regs.bp;
	state->registers[REGISTER_SP] = regs.sp;
	state->registers[8] = regs.r8;
	state->registers[9] = regs.r9;
	state->registers[10] = regs.r10;
	state->registers[11] = regs.r11;
	state->registers[12] = regs.r12;
	state->registers[13] = regs.r13;
	state->registers[14] = regs.r14;
	state->registers[15] = regs.r15;
	state->known = ALL_REGISTERS;
	state->bx_address = 0;
	return true;
}

/* mov $15, %rax; syscall (rt_sigreturn) */
#define SIGNAL_RETURN_CODE 0x0f0000000fc0c748ULL
#define SIGNAL_RETURN_LAST 0x05

static __always_inline bool arch_is_signal_return(__u64 ip)
{
	struct {
		__u64 first;
		__u8 last;
	} __attribute__((packed)) code;

	return !bpf_probe_read_user(&code, sizeof(code), (const void *)ip) && code.first == SIGNAL_RETURN_CODE &&
	       code.last == SIGNAL_RETURN_LAST;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Everything that differs between processors. An architecture header defines:
 *
 *   ARCH_USER_ADDRESS_END              first address that is surely not of user space
 *   arch_is_user(ctx)                  was user code interrupted?
 *   arch_instruction(ctx)              address of the interrupted instruction
 *   arch_state_from_context(ctx, s)    registers of the interrupted user code; false for 32-bit code
 *   arch_state_from_task(task, s)      registers saved at kernel entry
 *   arch_state_from_signal(s)          registers that a signal interrupted; false when they cannot be read
 *   arch_is_signal_return(ip)          is this the code that ends a signal handler?
 */
#ifndef FLEETFLAME_ARCH_H
#define FLEETFLAME_ARCH_H

enum arch_entry {
	/* The task is not in user space and does not go back there. */
	ARCH_NO_USER,
	ARCH_USER,
	/* 32-bit code */
	ARCH_COMPAT,
};

#if defined(__TARGET_ARCH_x86)
#include "arch-x86-64.h"
#else
#error "no header for this architecture yet: write arch-NAME.h with the functions named in arch.h"
#endif

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Everything that differs between processors. An architecture header defines:
 *
 *   ARCH_USER_ADDRESS_END              first address that is surely not of user space
 *   arch_is_user(ctx)                  was user code interrupted?
 *   arch_state_from_context(ctx, s)    registers of the interrupted user code -> SAMPLE_* flags
 *   arch_state_from_task(task, s, &f)  registers saved at kernel entry; false if there are none
 */
#ifndef FLEETFLAME_ARCH_H
#define FLEETFLAME_ARCH_H

#if defined(__TARGET_ARCH_x86)
#include "arch-x86-64.h"
#else
#error "no header for this architecture yet: write arch-NAME.h with the functions named in arch.h"
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* See bpf_helpers.h. */
#ifndef FLEETFLAME_WALKER_BPF_CORE_READ_H
#define FLEETFLAME_WALKER_BPF_CORE_READ_H

#include <stddef.h>

#define bpf_core_read(out, bytes, from) __builtin_memcpy(out, from, bytes)
#define bpf_core_field_offset(type, field) offsetof(type, field)
#define bpf_core_type_size(type) sizeof(type)

#endif

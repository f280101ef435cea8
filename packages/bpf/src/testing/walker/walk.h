/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF program's unwinder as a function of this process: the same source, with the kernel's maps and
 * memory replaced by arrays. What it says of some registers and a stack is what the program would say.
 */
#ifndef FLEETFLAME_WALKER_WALK_H
#define FLEETFLAME_WALKER_WALK_H

#include <stddef.h>

#include "../../bpf/record.h"
#include "../../bpf/unwind-maps.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WALK_REGISTERS 16

struct walk_table {
	struct unwind_table_info info;
	const void *blocks;
	size_t block_count;
};

/* What there is to walk in: mappings sorted by address, their `table` an index of `tables`, which has none at 0. */
struct walk_world {
	const struct unwind_mapping *mappings;
	size_t mapping_count;
	struct walk_table *tables;
	size_t table_count;
	/* Reads memory of the process; false when it cannot. */
	int (*read)(void *reader, void *out, __u64 address, size_t bytes);
	void *reader;
};

/* Registers by DWARF number. Fills the record's user frames, end and flags. One walk at a time. */
void walk(const struct walk_world *world, const __u64 registers[WALK_REGISTERS], __u64 ip, struct sample_record *record);

#ifdef __cplusplus
}
#endif

#endif

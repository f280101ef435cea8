// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <string.h>

/* The unwinder itself. */
#include "../../bpf/unwind.h"

static const struct walk_world *world;
/* As if it were of one CPU. */
static struct row_cache rows;

void *bpf_map_lookup_elem(const void *map, const void *key)
{
	__u32 index = *(const __u32 *)key;

	if (map == &mappings)
		return index < world->mapping_count ? (void *)&world->mappings[index] : 0;
	if (map == &table_infos)
		return index < world->table_count ? &world->tables[index].info : 0;
	if (map == &tables)
		return index < world->table_count && world->tables[index].blocks ? &world->tables[index] : 0;
	if (map == &processes)
		return 0;
	if (map == &row_caches)
		return &rows;
	/* What a lookup in `tables` gave. */
	const struct walk_table *table = map;

	return index < table->block_count ? (char *)table->blocks + (size_t)index * TABLE_BLOCK_BYTES : 0;
}

long bpf_probe_read_user(void *out, __u32 bytes, const void *address)
{
	return world->read(world->reader, out, (__u64)address, bytes) ? 0 : -1;
}

long bpf_loop(__u32 times, void *callback, void *context, __u64 flags)
{
	long (*call)(__u32, void *) = callback;
	__u32 done = 0;

	(void)flags;
	while (done < times)
		if (call(done++, context))
			break;
	return done;
}

void *bpf_task_pt_regs(struct task_struct *task)
{
	return task;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return 0;
}

__u64 bpf_get_current_pid_tgid(void)
{
	return 0;
}

void walk(const struct walk_world *in, const __u64 registers[WALK_REGISTERS], __u64 ip, struct sample_record *record)
{
	struct unwind_state state;

	memset(&state, 0, sizeof(state));
	memset(record, 0, SAMPLE_HEADER_BYTES);
	memcpy(state.registers, registers, sizeof(state.registers));
	state.ip = ip;
	state.known = ALL_REGISTERS;
	state.mapping_count = in->mapping_count;
	world = in;
	unwind_user_stack(record, &state);
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Finds the rule of a file offset in a binary's table; the layout is in unwind-maps.h. */
#ifndef FLEETFLAME_UNWIND_LOOKUP_H
#define FLEETFLAME_UNWIND_LOOKUP_H

#include "unwind-maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_UNWIND_TABLES);
	__type(key, __u32);
	__type(value, struct unwind_table_info);
} table_infos SEC(".maps");

struct inner_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	/* Tables may differ in size. */
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TABLE_BLOCK_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_UNWIND_TABLES);
	__type(key, __u32);
	__array(values, struct inner_table);
} tables SEC(".maps");

/* The last of 64 sorted keys that is not above `value`; the first one when all are. No branch depends on data. */
#define LAST_NOT_ABOVE(keys, value)                                                          \
	({                                                                                   \
		__u32 _at = 0;                                                               \
		_Pragma("unroll")                                                            \
		for (__u32 _step = TABLE_FANOUT / 2; _step > 0; _step >>= 1) {               \
			__s64 _above = (__s64)(__u64)(keys)[(_at + _step) & (TABLE_FANOUT - 1)] - (__s64)(value) - 1; \
			_at += _step & (__u32)(_above >> 63);                                \
		}                                                                            \
		_at & (TABLE_FANOUT - 1);                                                    \
	})

/* Null when the table was taken away meanwhile. */
static __always_inline const struct unwind_rule *find_rule(const struct unwind_table_info *info, void *table, __u32 offset)
{
	__u32 place = 0, first = 0, key, at, delta;
	struct table_rules *rules;
	struct table_leaf *leaf;

#pragma unroll
	for (__u32 level = 0; level < TABLE_MAX_LEVELS; level++) {
		struct table_node *node;

		if (level >= info->levels)
			break;
		key = info->level_first[level] + place;
		node = bpf_map_lookup_elem(table, &key);
		if (!node)
			return 0;
		at = LAST_NOT_ABOVE(node->key, offset);
		first = node->key[at];
		place = place * TABLE_FANOUT + at;
	}
	key = info->leaves_first + place;
	leaf = bpf_map_lookup_elem(table, &key);
	if (!leaf)
		return 0;
	delta = offset - first;
	if (delta >= TABLE_NO_OFFSET)
		delta = TABLE_NO_OFFSET - 1;
	at = LAST_NOT_ABOVE(leaf->offset, delta);
	key = info->rules_first + leaf->rule[at] / TABLE_RULES_PER_BLOCK;
	rules = bpf_map_lookup_elem(table, &key);
	if (!rules)
		return 0;
	return &rules->rule[leaf->rule[at] & (TABLE_RULES_PER_BLOCK - 1)];
}

#endif

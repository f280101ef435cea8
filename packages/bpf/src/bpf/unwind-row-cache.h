/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The rules that this CPU found last. A table is searched over about ten cache lines on as many as five
 * pages, which at 19 samples a second are cold each time; callers are the same few again and again, and an entry
 * here is half a line. Interrupts of the clock do not nest, so nobody else writes meanwhile.
 */
#ifndef FLEETFLAME_UNWIND_ROW_CACHE_H
#define FLEETFLAME_UNWIND_ROW_CACHE_H

#include "unwind-maps.h"

/* 16 KiB a CPU. A power of two; the shift below keeps as many bits. */
#define ROW_CACHE_ENTRIES 512
#define ROW_CACHE_SHIFT 23

struct cached_row {
	/* Of struct unwind_table_info; 0: nothing. */
	__u32 generation;
	__u32 offset;
	struct unwind_rule rule;
	__u64 unused;
};

struct row_cache {
	struct cached_row row[ROW_CACHE_ENTRIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct row_cache);
} row_caches SEC(".maps");

/* Where the rule of this offset is, if it is in the cache, and where it is to be put if not. */
static __always_inline struct cached_row *cached_row(__u32 generation, __u32 offset)
{
	/* Multiply and take the upper bits (Knuth): neighbouring offsets are spread. */
	__u32 hash = (offset * 0x9e3779b1U) ^ (generation * 0x85ebca6bU);
	__u32 zero = 0;
	struct row_cache *cache = bpf_map_lookup_elem(&row_caches, &zero);

	return cache ? &cache->row[(hash >> ROW_CACHE_SHIFT) & (ROW_CACHE_ENTRIES - 1)] : 0;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the addon writes into the kernel's maps so that the program can find the caller of a frame:
 *
 *   processes   tgid -> which range of `mappings` is its own
 *   mappings    executable ranges of address spaces, each process's in order; file ranges name a table
 *   table_infos where in a table what is
 *   tables      per binary: rows from file offset to rule, rules
 *
 * A table is a search tree of blocks of 256 bytes, 64-way, built bottom up and full but for the last
 * node of a level, so that a child's place follows from its parent's:
 *
 *   level 0           [ first offsets of 64 children                                    ]   one block
 *   ...
 *   level n-1         [ first offsets of 64 leaves ] [ ... ] ...
 *   leaves            [ 64 x (offset - first) u16, 64 x rule u16 ] [ ... ] ...
 *   rules             [ 16 rules ] [ 16 rules ] ...
 *
 * Four bytes a row, and a lookup reads one block per level instead of one row per halving. A row
 * holds from its offset to the next row's. Every table begins with a row at offset 0.
 */
#ifndef FLEETFLAME_UNWIND_MAPS_H
#define FLEETFLAME_UNWIND_MAPS_H

#include <linux/types.h>

#include "../unwind/rule.h"

/* Mappings of all processes that were sampled, 32 bytes each: about 20 are usual for one process. */
#define MAX_UNWIND_MAPPINGS 65536
/* Processes in the maps at a time; the limit of the process table. */
#define MAX_UNWIND_PROCESSES 32768
/* Binaries with a table at a time. */
#define MAX_UNWIND_TABLES 4096

#define TABLE_BLOCK_BYTES 256
#define TABLE_FANOUT 64
/* 64^4 leaves: a billion rows. */
#define TABLE_MAX_LEVELS 4
#define TABLE_RULES_PER_BLOCK 16
/* Fills the offsets of a leaf that has no more rows; no row is so far from its leaf's first. */
#define TABLE_NO_OFFSET 0xffff
/* Fills the keys of a node that has no more children; no offset is so large. */
#define TABLE_NO_KEY 0xffffffff

struct unwind_process {
	/* Of sample_record: for another image the mappings are not valid. */
	__u64 image;
	__u32 first;
	__u32 count;
};

struct unwind_mapping {
	__u64 start;
	__u64 end;
	__u64 file_offset;
	/* Index in `tables`; 0 for anonymous memory. */
	__u32 table;
	__u32 unused;
};

enum table_state {
	TABLE_NONE,
	TABLE_PENDING,
	TABLE_READY,
	TABLE_WITHOUT_FRAMES,
	TABLE_REFUSED,
};

enum table_flag {
	/*
	 * Go code. Its descriptions do not say where bp is saved; where a function has a frame it is
	 * always right below the return address.
	 */
	TABLE_IS_GO = 1 << 0,
};

/* Places are numbers of blocks. */
struct unwind_table_info {
	__u32 state;
	__u32 levels;
	__u32 level_first[TABLE_MAX_LEVELS];
	__u32 leaves_first;
	__u32 rules_first;
	/* Bits of enum table_flag. */
	__u32 flags;
	/* Another for every table that ever was, from 1: what was found in one is not taken for another's. */
	__u32 generation;
};

/* A block of level n. */
struct table_node {
	__u32 key[TABLE_FANOUT];
};

struct table_leaf {
	__u16 offset[TABLE_FANOUT];
	__u16 rule[TABLE_FANOUT];
};

struct table_rules {
	struct unwind_rule rule[TABLE_RULES_PER_BLOCK];
};

#endif

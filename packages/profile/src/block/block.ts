/**
 * The block: the one data structure of Fleetflame. Six columnar tables that hold some profiles,
 * struct-of-arrays, no object per row. Everything that moves or rests is a block.
 *
 *   samples ──▶ series   (labels, profile type)
 *      │
 *      └─────▶ stacks ──▶ locations ──▶ mappings
 *              (tree,        └─────────▶ functions
 *               parent first)
 *
 * Indices are row numbers in the table they point to. Strings are indices into `strings`, whose
 * entry 0 is "". Values are integers in the unit of their profile type, kept as float64: exact up
 * to 2^53.
 */

import type { DefaultTypes } from './default-types.ts';
import type { StringTable } from './string-table.ts';

/** Row of `SeriesTable`. */
export type SeriesIndex = number;
/** Row of `StackTable`; 0 is the root, the empty stack. */
export type StackIndex = number;
/** Row of `LocationTable`. */
export type LocationIndex = number;
/** Row of `FunctionTable`. */
export type FunctionIndex = number;
/** Row of `MappingTable`; row 0 is "no mapping". */
export type MappingIndex = number;
/** Index into `Block.strings`; 0 is "". */
export type StringIndex = number;

/**
 * What the values of a series are; the number is what the `kind` column stores.
 *   rate        what happened since the value before: they add up (CPU time, samples)
 *   gauge       what there is at a moment: they do not (goroutines, bytes in use)
 *   cumulative  what has happened since the process began: differences add up (bytes allocated)
 */
export const SERIES_KINDS = ['rate', 'gauge', 'cumulative'] as const;
export type SeriesKind = (typeof SERIES_KINDS)[number];

/** One row per label set. Sorted by profile type, service_name, labels, period, kind; strings by code point. */
export interface SeriesTable {
  readonly length: number;
  /** String: name:sample_type:sample_unit:period_type:period_unit. */
  readonly profileType: Uint32Array;
  /** Sampling period in the unit of the period type; 0 is unknown. */
  readonly period: Float64Array;
  /** Labels of row i are entries labelStart[i] to labelStart[i+1] (length + 1 entries). */
  readonly labelStart: Uint32Array;
  /** Strings, ascending by name within a row. */
  readonly labelName: Uint32Array;
  readonly labelValue: Uint32Array;
  /** Index into SERIES_KINDS. */
  readonly kind: Uint8Array;
  /**
   * Profiles that the series was taken from are entries profileStart[i] to profileStart[i+1] (length + 1 entries),
   * strictly ascending by (time, duration). None: its points are instants that need none, such as an agent's.
   */
  readonly profileStart: Uint32Array;
  /** Milliseconds since the block's start: where the profile begins, and where its points lie. */
  readonly profileTime: Uint32Array;
  /** Milliseconds that its values are spread over; 0 is a moment. */
  readonly profileDuration: Uint32Array;
  /** How many such profiles there were, from 1. */
  readonly profileCount: Uint32Array;
}

/** One row per (series, stack), sorted by both. */
export interface SampleTable {
  readonly length: number;
  readonly series: Uint32Array;
  readonly stack: Uint32Array;
  /** Sum of the row's values, always. */
  readonly total: Float64Array;
  /** Points of row i are entries pointStart[i] to pointStart[i+1] (length + 1 entries). */
  readonly pointStart: Uint32Array;
  /** Milliseconds since the block's start, strictly ascending within a row. */
  readonly time: Uint32Array;
  readonly value: Float64Array;
}

/** A prefix tree: parent[i] < i for every row but the root, row 0, whose parent is 0. */
export interface StackTable {
  readonly length: number;
  readonly parent: Uint32Array;
  /** Location of the frame; unused in row 0. A row's frame is the callee of its parent's. */
  readonly location: Uint32Array;
}

/** One row per code address. A location without lines has not been symbolized. */
export interface LocationTable {
  readonly length: number;
  readonly mapping: Uint32Array;
  /**
   * ELF virtual address for native code, the offset in the file where the mapping's kind is `native_offset`; the address as
   * sampled for kernel and JIT code.
   */
  readonly address: BigUint64Array;
  /** Lines of row i are entries lineStart[i] to lineStart[i+1] (length + 1 entries), innermost inline first. */
  readonly lineStart: Uint32Array;
  readonly lineFunction: Uint32Array;
  /** Source line, 0 is unknown. */
  readonly lineNumber: Uint32Array;
  /** Column in the source line from 1, 0 is unknown: only some pushed files say. */
  readonly lineColumn: Uint32Array;
}

export interface FunctionTable {
  readonly length: number;
  /** Strings: name for people, name as in the binary, source file. */
  readonly name: Uint32Array;
  readonly systemName: Uint32Array;
  readonly filename: Uint32Array;
  /** 0 is unknown. */
  readonly startLine: Uint32Array;
}

/**
 * What kind of code a mapping holds. The number is what the `kind` column stores. `native_offset`: native code whose
 * addresses are offsets in its file, since whoever took them did not know the program headers; it has a build id.
 */
export const MAPPING_KINDS = [
  'unknown',
  'native',
  'kernel',
  'jit',
  'interpreted',
  'vdso',
  'native_offset',
] as const;
export type MappingKind = (typeof MAPPING_KINDS)[number];

/** One row per binary. Row 0 is "no mapping": file "", build id "", kind unknown. */
export interface MappingTable {
  readonly length: number;
  /** Strings: path or name of the binary; build id in lower-case hex, or "". */
  readonly file: Uint32Array;
  readonly buildId: Uint32Array;
  /** Index into MAPPING_KINDS. */
  readonly kind: Uint8Array;
}

export interface Block {
  /** Unix milliseconds; sample times are relative to it. */
  readonly timeStartMs: number;
  /** Unix milliseconds, exclusive: greater than every sample time. */
  readonly timeEndMs: number;
  readonly strings: StringTable;
  readonly series: SeriesTable;
  readonly samples: SampleTable;
  readonly stacks: StackTable;
  readonly locations: LocationTable;
  readonly functions: FunctionTable;
  readonly mappings: MappingTable;
  /** Samples that were taken but could not be kept, by cause. */
  readonly losses: ReadonlyMap<string, number>;
  /** Datasets that are to be shown first, as `datasetKey` calls them; undefined: none. */
  readonly defaultTypes?: DefaultTypes | undefined;
}

/** The label that datasets, shards and the UI go by. */
export const SERVICE_NAME = 'service_name';

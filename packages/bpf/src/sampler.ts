import { loadAddon } from './addon.ts';
import type { NativeSampler } from './addon.ts';
import type { Collection } from './collection.ts';
import { SamplerError } from './errors.ts';
import { checkFilter, type FilterRule } from './filter-rule.ts';
import type { RefusedTable } from './refused-table.ts';
import type { SamplerStats } from './sampler-stats.ts';

/** Above this the cost of the interrupts alone exceeds 2 % of a CPU on a virtual machine. */
export const MAX_FREQUENCY_HZ = 1000;

const DEFAULT_MAX_ROWS = 65_536;
const MAX_MAX_ROWS = 1 << 20;
/** unwind-maps.h, process-table.h */
const MAX_PROCESSES = 32_768;
const MAX_MAPPINGS = 65_536;
const MIN_RING_BYTES = 4096;
const MAX_RING_BYTES = 64 << 20;
export const DEFAULT_TABLE_BYTES = 32 << 20;
export const MAX_TABLE_BYTES = 1 << 30;

export interface SamplerOptions {
  /** Samples per second and CPU, 1 to 1000. */
  readonly frequencyHz: number;
  /**
   * False walks stacks with the loop that kernels before 5.17 need; the kernel's own loop is used
   * where it exists. Default true.
   */
  readonly bpfLoop?: boolean;
  /**
   * Bytes of the ring between the kernel and the addon, a power of two from 4,096 to 64 Mi. Default: four
   * seconds of samples of 300 bytes from every CPU, at least 256 Ki.
   */
  readonly ringBytes?: number;
  /** Rows that may wait for a collect, 1 to 1,048,576. Default 65,536, at most 45 MB. */
  readonly maxRows?: number;
  /**
   * Processes that are followed at a time, 1 to 32,768, the default. Samples of more are kept, without
   * names of their binaries.
   */
  readonly maxProcesses?: number;
  /**
   * Executable mappings of all processes that the kernel knows, 1 to 65,536, the default; about 20 are usual for
   * one process. What finds no room is unwound by frame pointers.
   */
  readonly maxMappings?: number;
  /**
   * Kernel memory for unwind tables, four bytes a row, 0 to 1 Gi. A binary whose table does not fit is
   * unwound by frame pointers, as everything is with 0. Default 32 Mi: eight million rows.
   */
  readonly tableBytes?: number;
  /** A directory, which must exist, that keeps the tables of binaries with a build id. Default: none. */
  readonly tableCache?: string;
  /** What to leave out. Default: nothing. */
  readonly filter?: readonly FilterRule[];
}

/**
 * Samples every CPU of this host from construction to close. The work is done by a BPF program and
 * a thread of the addon; call collect every few seconds, or the fold table fills (65,536 rows).
 */
export class Sampler {
  readonly #native: NativeSampler;

  /** Throws SamplerError. */
  constructor(options: SamplerOptions) {
    const { frequencyHz, bpfLoop = true, ringBytes, maxRows = DEFAULT_MAX_ROWS } = options;
    const { maxProcesses = MAX_PROCESSES, maxMappings = MAX_MAPPINGS } = options;
    const { tableBytes = DEFAULT_TABLE_BYTES, tableCache = '', filter = [] } = options;
    checkInteger('frequencyHz', frequencyHz, 1, MAX_FREQUENCY_HZ);
    checkInteger('maxRows', maxRows, 1, MAX_MAX_ROWS);
    checkInteger('maxProcesses', maxProcesses, 1, MAX_PROCESSES);
    checkInteger('maxMappings', maxMappings, 1, MAX_MAPPINGS);
    checkInteger('tableBytes', tableBytes, 0, MAX_TABLE_BYTES);
    if (ringBytes !== undefined) {
      checkInteger('ringBytes', ringBytes, MIN_RING_BYTES, MAX_RING_BYTES);
      if (!Number.isInteger(Math.log2(ringBytes))) {
        throw new SamplerError('invalid_input', `ringBytes is ${ringBytes}: it has to be a power of two`);
      }
    }
    checkFilter(filter);
    const { Sampler: Native } = loadAddon();
    this.#native = attempt(
      () =>
        new Native({
          frequencyHz,
          bpfLoop,
          ringBytes: ringBytes ?? 0,
          maxRows,
          maxProcesses,
          maxMappings,
          tableBytes,
          tableCache,
          filter,
        }),
    );
  }

  /** What was gathered since the last call; after close, the rest. Throws SamplerError if sampling had to end. */
  collect(): Collection {
    return attempt(() => this.#native.collect());
  }

  stats(): SamplerStats {
    return this.#native.stats();
  }

  /**
   * Replaces the filter; in force within a second. What is in the rings by then is judged by the new
   * rules. Throws SamplerError.
   */
  setFilter(rules: readonly FilterRule[]): void {
    checkFilter(rules);
    attempt(() => this.#native.setFilter(rules));
  }

  /**
   * Bytes by what they are for: each kernel map by its name, unwind_tables, perf_rings (kernel memory, which
   * no number of this process shows), queue and rows (buffers of the addon). Takes some ten system calls.
   */
  memory(): Readonly<Record<string, number>> {
    return this.#native.memory();
  }

  /** Binaries in use whose unwind table had no room, the largest first; at most 4,095. */
  refusedTables(): readonly RefusedTable[] {
    return this.#native.refusedTables();
  }

  /** Ends sampling. What the rings still hold is there for one more collect. May be called again. */
  close(): void {
    this.#native.close();
  }
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new SamplerError(
    'invalid_input',
    `${name} is ${value}: it has to be an integer from ${min} to ${max}`,
  );
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw SamplerError.from(error);
  }
}

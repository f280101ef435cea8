import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_TABLE_BYTES, type Sampler, type SamplerStats } from '@fleetflame/bpf';
import type { Logger } from 'pino';
import type { AgentStats, RefusedBinary } from './agent-stats.ts';
import type { BinaryTable } from './binaries/binary-table.ts';

/** Some hundred files are looked at, which takes a few milliseconds: not at every scrape. */
const CACHE_SIZE_TTL_MS = 60_000;
/** Binaries named by stats(), the largest: more than anybody reads. */
const MAX_REPORTED = 32;
/** Binaries that the log has named; beyond it only /status and the counters tell. */
const MAX_NAMED = 4096;

export interface UnwindTablesOptions {
  readonly budgetBytes?: number | undefined;
  readonly cacheDir?: string | undefined;
}

/** What is to be told of the unwind tables in the kernel, and who is told when one finds no room. */
export class UnwindTables {
  readonly #options: UnwindTablesOptions;
  readonly #sampler: Sampler;
  readonly #binaries: BinaryTable;
  readonly #log: Logger;
  readonly #named = new Set<string>();
  #refusedBefore = 0;
  #cacheBytes = 0;
  #cacheSizedAtMs = -Infinity;

  constructor(options: UnwindTablesOptions, sampler: Sampler, binaries: BinaryTable, log: Logger) {
    this.#options = options;
    this.#sampler = sampler;
    this.#binaries = binaries;
    this.#log = log;
  }

  /** Says in the log, once for each binary, whose table found no room. Once per window. */
  watch(stats: SamplerStats): void {
    if (stats.refusedTablesBudget === this.#refusedBefore) return;
    this.#refusedBefore = stats.refusedTablesBudget;
    for (const { path, buildId, rows, bytes, reason } of this.#refusedNow()) {
      const key = buildId || path;
      if (this.#named.has(key) || this.#named.size >= MAX_NAMED) continue;
      this.#named.add(key);
      this.#log.warn(
        { path, buildId, rows, bytes, reason, budgetBytes: this.#budgetBytes, usedBytes: stats.tableBytes },
        'no room for the unwind table of a binary: its stacks are walked by frame pointers; --unwind-table-budget gives more',
      );
    }
  }

  stats(sampler: SamplerStats): AgentStats['unwindTables'] {
    const refused = this.#refusedNow();
    return {
      tables: sampler.tables,
      bytes: sampler.tableBytes,
      rows: sampler.tableRows,
      budgetBytes: this.#budgetBytes,
      waiting: sampler.tablesWaiting,
      built: sampler.tablesBuilt,
      fromCache: sampler.tablesFromCache,
      freed: sampler.tablesFreed,
      withoutFrames: sampler.tablesWithoutFrames,
      unreadable: sampler.tablesUnreadable,
      refused: {
        budget: sampler.refusedTablesBudget,
        tables: sampler.refusedTablesLimit,
        queue: sampler.refusedTablesQueue,
      },
      missing: refused.length,
      refusedNow: refused.slice(0, MAX_REPORTED),
      cacheBytes: this.#sizeCache(),
    };
  }

  get #budgetBytes(): number {
    return this.#options.budgetBytes ?? DEFAULT_TABLE_BYTES;
  }

  #refusedNow(): RefusedBinary[] {
    return this.#sampler.refusedTables().map(({ binary, rows, bytes, reason }) => {
      const { path = '', buildId = '' } = this.#binaries.describe(binary) ?? {};
      return { path, buildId, rows, bytes, reason };
    });
  }

  #sizeCache(): number {
    const { cacheDir } = this.#options;
    const now = performance.now();
    if (cacheDir === undefined || now - this.#cacheSizedAtMs < CACHE_SIZE_TTL_MS) return this.#cacheBytes;
    this.#cacheSizedAtMs = now;
    try {
      this.#cacheBytes = readdirSync(cacheDir)
        .map((name) => statSync(join(cacheDir, name), { throwIfNoEntry: false })?.size ?? 0)
        .reduce((sum, bytes) => sum + bytes, 0);
    } catch (error) {
      this.#log.warn({ err: error, cacheDir }, 'the cache of unwind tables cannot be looked at');
    }
    return this.#cacheBytes;
  }
}

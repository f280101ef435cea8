import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import type { Collection } from './collection.ts';
import { SamplerError } from './errors.ts';
import type { ForeignFileStats, NativeForeignFiles } from './foreign-files.ts';
import type { FilterRule } from './filter-rule.ts';
import type { RefusedTable } from './refused-table.ts';
import type { SamplerStats } from './sampler-stats.ts';

/** What only system calls can tell about this machine. Errors are texts, "" means none. */
export interface NativeProbe {
  readonly libbpf: string;
  readonly ringBuffer: boolean;
  readonly perfEventProgram: boolean;
  readonly bpfLoop: boolean;
  readonly clockEvent: string;
  readonly processEvents: string;
  readonly processEventsWithBuildIds: string;
}

export interface NativeOptions {
  readonly frequencyHz: number;
  readonly bpfLoop: boolean;
  /** 0: by expected bytes. */
  readonly ringBytes: number;
  readonly maxRows: number;
  readonly maxProcesses: number;
  readonly maxMappings: number;
  /** 0: no tables, frame pointers only. */
  readonly tableBytes: number;
  /** "" for none. */
  readonly tableCache: string;
  readonly filter: readonly FilterRule[];
}

export interface NativeSampler {
  collect(): Collection;
  stats(): SamplerStats;
  setFilter(rules: readonly FilterRule[]): void;
  memory(): Readonly<Record<string, number>>;
  refusedTables(): readonly RefusedTable[];
  close(): void;
}

export interface Addon {
  readonly Sampler: new (options: NativeOptions) => NativeSampler;
  readonly ForeignFiles: new (procRootOrNumber: string | number) => NativeForeignFiles;
  foreignFileStats(): ForeignFileStats;
  probe(): NativeProbe;
}

const ADDON_FILE = fileURLToPath(new URL('../build/Release/fleetflame_bpf.node', import.meta.url));

let loaded: Addon | undefined;

/** The native addon. Throws SamplerError not_built. */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shape is what src/addon/addon.cc exports
    loaded = createRequire(import.meta.url)(ADDON_FILE) as Addon;
    return loaded;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND';
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SamplerError(
      'not_built',
      missing
        ? `${ADDON_FILE} is not there: build it with "pnpm --filter @fleetflame/bpf build" (needs clang, bpftool, libbpf-dev, libelf-dev, g++ and make)`
        : `${ADDON_FILE} does not load (${reason}): build it again with "pnpm --filter @fleetflame/bpf build"`,
      { cause },
    );
  }
}

import type { ForeignFileStats } from '@fleetflame/bpf';
import type { FilterStatus } from './filter/filter-source.ts';
import type { UploadCounters } from './upload/symbol-uploader.ts';

/** A binary whose unwind table is not in the kernel. */
export interface RefusedBinary {
  readonly path: string;
  readonly buildId: string;
  /** What the table would take; 0 when that is not known. */
  readonly rows: number;
  readonly bytes: number;
  /** As RefusedTable.reason. */
  readonly reason: string;
}

/** What the agent says of itself: for /status, and the source of its metrics. Counters since the start. */
export interface AgentStats {
  readonly agentId: string;
  readonly startedMs: number;
  /** Of the six that it needs (AGENT_CAPABILITIES of the bpf package), those that its process has. */
  readonly capabilities: readonly string[];
  readonly frequencyHz: number;
  readonly cpus: number;
  /** Samples in windows that are closed. */
  readonly samples: number;
  /** Samples lost, by cause; stack_* ones are kept, with shortened stacks. */
  readonly losses: Readonly<Record<string, number>>;
  readonly windows: number;
  readonly windowMs: number;
  /** Since the last window was closed, or since the start; by a clock that nobody sets. */
  readonly lastWindowAgeMs: number;
  readonly collections: number;
  /** Collections that came later than they should have by more than a second. */
  readonly lateCollections: number;
  readonly spool: {
    readonly batches: number;
    readonly bytes: number;
    readonly written: number;
    readonly dropped: number;
    readonly expired: number;
    readonly corrupt: number;
    readonly refused: number;
  };
  readonly send: {
    readonly sent: number;
    readonly sentBytes: number;
    readonly duplicates: number;
    /** Sent under a fresh id, since their numbers were taken by something else. */
    readonly renumbered: number;
    /** Times that a batch let others go first, since the server could not take it at the moment. */
    readonly postponed: number;
    readonly errors: Readonly<Record<string, number>>;
    readonly lastError: string;
    /** Unix milliseconds, 0 before the first. */
    readonly lastAckMs: number;
  };
  readonly processes: {
    readonly known: number;
    readonly labelSets: number;
    readonly reads: number;
    readonly inherited: number;
    readonly unknown: number;
    readonly overLimit: number;
    readonly otherThreads: number;
  };
  readonly binaries: {
    readonly known: number;
    readonly openFiles: number;
    readonly opened: number;
    /** Binaries that could not be read, by reason. */
    readonly problems: Readonly<Record<string, number>>;
    readonly evicted: number;
    readonly unknownFrames: number;
  };
  /** Files of others, opened in a process that may hang. */
  readonly foreignFiles: ForeignFileStats;
  readonly kernel: {
    readonly symbols: number;
    readonly bytes: number;
    readonly readings: number;
    /** Why kernel frames have no names, "" when they have. */
    readonly reason: string;
  };
  readonly jit: {
    readonly processes: number;
    readonly entries: number;
    readonly unnamed: number;
    readonly bytesRead: number;
    readonly dumpBytesRead: number;
    readonly evicted: number;
    readonly foreign: number;
    readonly unreadable: number;
    readonly hung: number;
    readonly malformed: number;
    readonly overLimit: number;
  };
  /** Different frames of windows without a name that only the agent could have given. */
  readonly unnamedFrames: Readonly<Record<string, number>>;
  readonly symbols: Readonly<UploadCounters>;
  readonly unwindTables: {
    /** In the kernel now: how many, their kernel memory, rows, and the limit of that memory. */
    readonly tables: number;
    readonly bytes: number;
    readonly rows: number;
    readonly budgetBytes: number;
    readonly waiting: number;
    readonly built: number;
    /** Of `built`, those that were on disk. */
    readonly fromCache: number;
    readonly freed: number;
    /** Binaries that describe no frames, and those that could not be read. */
    readonly withoutFrames: number;
    readonly unreadable: number;
    /** Turned away, by limit: binaries for the budget, binaries beyond 4,096, requests beyond the queue. */
    readonly refused: { readonly budget: number; readonly tables: number; readonly queue: number };
    /** Binaries in use that are unwound by frame pointers for lack of room now, and the 32 largest of them. */
    readonly missing: number;
    readonly refusedNow: readonly RefusedBinary[];
    /** On disk. */
    readonly cacheBytes: number;
  };
  readonly memory: {
    /** Of this process. Kernel memory is not in it. */
    readonly residentBytes: number;
    /** Of the sampler by what it is for, kernel maps by name; see Sampler.memory(). */
    readonly sampler: Readonly<Record<string, number>>;
    /** Of `sampler`, what is kernel memory. */
    readonly kernelBytes: number;
    /** Part of residentBytes. */
    readonly kernelSymbolBytes: number;
  };
  /** Of the sampler: what it could not keep track of. */
  readonly sampler: {
    readonly interrupts: number;
    readonly idle: number;
    readonly outside: number;
    /** Of processes that the filter leaves out. */
    readonly excluded: number;
    readonly lostProcessRecords: number;
    readonly lostProcessEvents: number;
    readonly refusedProcesses: number;
    readonly refusedMappings: number;
    readonly refusedBinaries: number;
  };
  readonly filter: FilterStatus & {
    /** Left out by the kernel now: processes, and cgroups as a whole. */
    readonly processes: number;
    readonly cgroups: number;
    /** Times that the kernel's list of them was full; they are left out later, at the price of a sample. */
    readonly refused: number;
  };
  readonly cpuSeconds: {
    /** Of processes that the filter leaves out, measured by the same clock as the samples. */
    readonly excluded: number;
    /** Collecting, labelling, building and encoding, on the main thread. */
    readonly loop: number;
    /** The sampler's own thread. */
    readonly drain: number;
    /** The BPF program; 0 unless kernel.bpf_stats_enabled. */
    readonly bpf: number;
  };
}

/**
 * Counters since the start. Samples unless the name says otherwise.
 *
 * interrupts = idle + outside + excluded + samples + lostRingFull + lostTableFull + those under way (up to a
 * second of them; none after close).
 */
export interface SamplerStats {
  /** Interrupts in which the program ran, idle ones included. An idle CPU may not be interrupted. */
  readonly interrupts: number;
  readonly idle: number;
  /** Of processes outside the agent's PID namespace: not sampled, as nothing of them can be looked up. */
  readonly outside: number;
  /** Of processes that the filter leaves out: each is the time between two samples of one CPU. */
  readonly excluded: number;
  /** Samples that reached the fold table. */
  readonly samples: number;
  /** Lost: no room in the ring buffer. */
  readonly lostRingFull: number;
  /** Lost: no room in the fold table. */
  readonly lostTableFull: number;
  /** Kept, but the user stack could not be read to its end. */
  readonly stackReadFailed: number;
  /** Kept, but the user stack was deeper than the limit. */
  readonly stackTruncated: number;
  /** Kept, but the kernel stack was deeper than the limit. */
  readonly stackKernelTruncated: number;
  /** Kept, but the chain of callers ended early. */
  readonly stackChainBroken: number;
  /** Kept, but the mappings of the process were not known. */
  readonly stackNoProcess: number;
  /** Samples by the end of their user stack, as STACK_ENDS counts. */
  readonly stackEnds: readonly number[];
  /** At least one caller was found by a frame pointer. */
  readonly stackFramePointers: number;
  /** Sampled before the tables of the process were in place. */
  readonly stackTablesPending: number;
  /** Processes and, on hosts with cgroup v2 alone, cgroups that the BPF program leaves out now. */
  readonly excludedProcesses: number;
  readonly excludedCgroups: number;
  /** Times that there was no room for one more: it is left out as well, at the price of its samples. */
  readonly refusedExclusions: number;
  /** Processes and mappings that the BPF program knows now: those that were sampled. */
  readonly unwindProcesses: number;
  readonly unwindMappings: number;
  /** Times that a process found no room there. */
  readonly refusedUnwindProcesses: number;
  /** Unwind tables in the kernel now, their bytes and rows, and binaries that wait for theirs. */
  readonly tables: number;
  readonly tableBytes: number;
  readonly tableRows: number;
  readonly tablesWaiting: number;
  readonly tablesBuilt: number;
  /** Of them, those that tableCache had. */
  readonly tablesFromCache: number;
  /** Taken away because nobody used them, or for their room. */
  readonly tablesFreed: number;
  /** Binaries whose table had no room in tableBytes (refusedTables() names those of now), binaries beyond the limit of tables, a full queue. */
  readonly refusedTablesBudget: number;
  readonly refusedTablesLimit: number;
  readonly refusedTablesQueue: number;
  /** Binaries that describe no frames, and those that could not be opened or read. */
  readonly tablesWithoutFrames: number;
  readonly tablesUnreadable: number;
  /** CPU nanoseconds of the thread that builds tables. */
  readonly tableCpuNs: number;
  /** Process records that the kernel dropped. */
  readonly lostProcessRecords: number;
  /** Process events that were dropped because nobody collected them. */
  readonly lostProcessEvents: number;
  /** Processes, mappings and lookups of binaries that a full table turned away. */
  readonly refusedProcesses: number;
  readonly refusedMappings: number;
  readonly refusedBinaries: number;
  /** Reads of a process's /proc files: at the start, and where records were missing. */
  readonly mapsReads: number;
  /** CPUs that are being sampled now. */
  readonly cpus: number;
  readonly processes: number;
  /** Counted every few seconds. */
  readonly mappings: number;
  readonly binaries: number;
  /** Nanoseconds spent in the BPF program; 0 unless kernel.bpf_stats_enabled. */
  readonly bpfRunTimeNs: number;
  readonly bpfRunCount: number;
  /** CPU nanoseconds of the drain thread. */
  readonly drainCpuNs: number;
  /** How often the rings were read. */
  readonly drains: number;
}

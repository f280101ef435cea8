import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { AgentStats } from './agent-stats.ts';

/** Seconds: a server acks after its segment, about a second. */
const LATENCY_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30];

export interface AgentMetrics {
  readonly observeSend: (seconds: number) => void;
  /** Takes the metrics off the registry. */
  readonly close: () => void;
}

type Read = (stats: AgentStats) => number;
type ReadByLabel = (stats: AgentStats) => Readonly<Record<string, number>>;
type LabelledMetric = readonly [name: string, label: string, help: string, read: ReadByLabel];

const COUNTERS: readonly (readonly [name: string, help: string, read: Read])[] = [
  ['samples_total', 'Samples put into batches', (s) => s.samples],
  ['windows_total', 'Windows closed', (s) => s.windows],
  ['collections_total', 'Times the sampler was emptied', (s) => s.collections],
  ['late_collections_total', 'Collections more than a second late', (s) => s.lateCollections],
  ['batches_spooled_total', 'Batches written to the spool', (s) => s.spool.written],
  ['batches_sent_total', 'Batches acknowledged by the server', (s) => s.send.sent],
  ['batches_duplicate_total', 'Batches that the server had already', (s) => s.send.duplicates],
  [
    'batches_renumbered_total',
    'Batches sent under a fresh id, since their numbers were taken by something else',
    (s) => s.send.renumbered,
  ],
  [
    'batches_postponed_total',
    'Times that a batch let others go first, since the server could not take it at the moment',
    (s) => s.send.postponed,
  ],
  ['batches_dropped_total', 'Batches dropped because the spool was full', (s) => s.spool.dropped],
  [
    'batches_expired_total',
    'Batches dropped because they waited for longer than servers take them',
    (s) => s.spool.expired,
  ],
  [
    'symbols_withheld_total',
    'Binaries of which nothing is sent, as the rules for uploads say',
    (s) => s.symbols.withheld,
  ],
  ['batches_refused_total', 'Batches refused by the server', (s) => s.spool.refused],
  ['batches_corrupt_total', 'Spooled batches found corrupt', (s) => s.spool.corrupt],
  ['sent_bytes_total', 'Bytes of acknowledged batches', (s) => s.send.sentBytes],
  ['process_reads_total', 'Processes read from /proc', (s) => s.processes.reads],
  ['processes_inherited_total', 'Processes gone too early to be read', (s) => s.processes.inherited],
  ['processes_unknown_total', 'Sampled processes that nothing is known of', (s) => s.processes.unknown],
  ['processes_over_limit_total', 'Processes beyond the limit', (s) => s.processes.overLimit],
  ['threads_other_total', 'Thread names folded into (other)', (s) => s.processes.otherThreads],
  ['binaries_opened_total', 'Binaries opened', (s) => s.binaries.opened],
  ['binaries_evicted_total', 'Binaries forgotten by the limit', (s) => s.binaries.evicted],
  ['kernel_readings_total', 'Readings of the kernel symbols', (s) => s.kernel.readings],
  ['jit_map_read_bytes_total', 'Bytes of perf maps read', (s) => s.jit.bytesRead],
  ['jit_dump_read_bytes_total', 'Bytes of jitdumps read', (s) => s.jit.dumpBytesRead],
  [
    'jit_maps_evicted_total',
    'Processes whose perf map and jitdump were forgotten by the limits',
    (s) => s.jit.evicted,
  ],
  [
    'jit_maps_foreign_total',
    'Perf maps and jitdumps not read: links or of another user',
    (s) => s.jit.foreign,
  ],
  [
    'jit_maps_unreadable_total',
    'Perf maps and jitdumps left: too large, or not of their format',
    (s) => s.jit.unreadable,
  ],
  [
    'jit_hung_total',
    'Times that a perf map or jitdump was on a file system that did not answer',
    (s) => s.jit.hung,
  ],
  ['foreign_hangs_total', 'Files of others that were not answered for in time', (s) => s.foreignFiles.hangs],
  [
    'foreign_refused_total',
    'Files of others not asked for, since their file system or process does not answer',
    (s) => s.foreignFiles.refused,
  ],
  [
    'foreign_not_regular_total',
    'Devices, pipes, sockets and the like that stood where a plain file was looked for; not opened',
    (s) => s.foreignFiles.notRegular,
  ],
  [
    'foreign_helpers_started_total',
    'Processes started to open files of others',
    (s) => s.foreignFiles.startedHelpers,
  ],
  [
    'jit_malformed_total',
    'Lines of perf maps and records of jitdumps that are not of the format',
    (s) => s.jit.malformed,
  ],
  ['jit_over_limit_total', 'Names and source lines of JIT code beyond the limits', (s) => s.jit.overLimit],
  ['symbols_asked_total', 'Build ids offered to the server', (s) => s.symbols.asked],
  ['symbols_uploaded_total', 'Binaries whose symbols were uploaded', (s) => s.symbols.uploaded],
  ['symbols_postponed_total', 'Uploads left to another host for now', (s) => s.symbols.postponed],
  ['symbols_interrupted_total', 'Large uploads that stopped for smaller ones', (s) => s.symbols.interrupted],
  ['symbols_uploaded_bytes_total', 'Bytes of symbols uploaded', (s) => s.symbols.uploadedBytes],
  ['interrupts_total', 'Sampling interrupts, idle CPUs included', (s) => s.sampler.interrupts],
  [
    'interrupts_outside_total',
    "Interrupts of processes outside the agent's PID namespace, which are not sampled",
    (s) => s.sampler.outside,
  ],
  ['excluded_samples_total', 'Interrupts of processes that the filter leaves out', (s) => s.sampler.excluded],
  [
    'excluded_cpu_seconds_total',
    'CPU time of processes that the filter leaves out',
    (s) => s.cpuSeconds.excluded,
  ],
  ['filter_loads_total', 'Times that the filter was read', (s) => s.filter.loads],
  ['filter_failures_total', 'Times that the filter file was refused', (s) => s.filter.failures],
  [
    'filter_refused_total',
    'Processes beyond the limit of those left out in the kernel',
    (s) => s.filter.refused,
  ],
  ['unwind_tables_built_total', 'Unwind tables put into the kernel', (s) => s.unwindTables.built],
  [
    'unwind_tables_cached_total',
    'Of those built, the ones that were on disk',
    (s) => s.unwindTables.fromCache,
  ],
  ['unwind_tables_freed_total', 'Unwind tables taken out of the kernel', (s) => s.unwindTables.freed],
  ['loop_cpu_seconds_total', 'CPU time of collecting and building', (s) => s.cpuSeconds.loop],
  ['drain_cpu_seconds_total', 'CPU time of the thread that drains the ring', (s) => s.cpuSeconds.drain],
  ['bpf_run_seconds_total', 'CPU time of the BPF program, if the kernel counts it', (s) => s.cpuSeconds.bpf],
];

const GAUGES: readonly (readonly [name: string, help: string, read: Read])[] = [
  [
    'last_window_age_seconds',
    'Since a window was closed: more than three windows, and nothing is sampled',
    (s) => s.lastWindowAgeMs / 1000,
  ],
  ['window_seconds', 'Length of a window', (s) => s.windowMs / 1000],
  ['filter_rules', 'Rules of the filter in force', (s) => s.filter.rules.length],
  ['filter_processes', 'Processes left out in the kernel', (s) => s.filter.processes],
  ['filter_cgroups', 'Cgroups left out in the kernel as a whole', (s) => s.filter.cgroups],
  ['cpus', 'CPUs being sampled', (s) => s.cpus],
  ['processes', 'Processes known', (s) => s.processes.known],
  ['label_sets', 'Different sets of process labels', (s) => s.processes.labelSets],
  ['binaries', 'Binaries known', (s) => s.binaries.known],
  ['open_files', 'Binaries held open', (s) => s.binaries.openFiles],
  ['spool_batches', 'Batches in the spool', (s) => s.spool.batches],
  ['spool_bytes', 'Bytes in the spool', (s) => s.spool.bytes],
  ['foreign_hung_helpers', 'Processes that wait for a file system', (s) => s.foreignFiles.hungHelpers],
  ['kernel_symbols', 'Kernel symbols known', (s) => s.kernel.symbols],
  ['jit_processes', 'Processes whose perf map or jitdump is kept', (s) => s.jit.processes],
  ['jit_entries', 'Entries of perf maps and jitdumps kept', (s) => s.jit.entries],
  [
    'kernel_memory_bytes',
    'Kernel maps and rings, which the resident memory does not show',
    (s) => s.memory.kernelBytes,
  ],
  ['unwind_tables', 'Unwind tables in the kernel', (s) => s.unwindTables.tables],
  ['unwind_table_bytes', 'Kernel memory of unwind tables', (s) => s.unwindTables.bytes],
  ['unwind_table_rows', 'Rows of unwind tables in the kernel', (s) => s.unwindTables.rows],
  [
    'unwind_table_budget_bytes',
    'Limit of the kernel memory of unwind tables',
    (s) => s.unwindTables.budgetBytes,
  ],
  ['unwind_tables_waiting', 'Binaries that wait for their unwind table', (s) => s.unwindTables.waiting],
  [
    'unwind_tables_missing',
    'Binaries in use without room for their unwind table',
    (s) => s.unwindTables.missing,
  ],
  ['unwind_table_cache_bytes', 'Unwind tables kept on disk', (s) => s.unwindTables.cacheBytes],
  ['kernel_symbol_memory_bytes', 'Memory of kernel symbols', (s) => s.memory.kernelSymbolBytes],
  ['last_ack_timestamp_seconds', 'Time of the last acknowledged batch', (s) => s.send.lastAckMs / 1000],
];

const LABELLED_GAUGES: readonly LabelledMetric[] = [
  ['sampler_memory_bytes', 'part', 'Kernel maps by name, rings and buffers', (s) => s.memory.sampler],
];

const LABELLED: readonly LabelledMetric[] = [
  ['samples_lost_total', 'cause', 'Samples lost or shortened', (s) => s.losses],
  [
    'process_tracking_lost_total',
    'what',
    'Process records, processes, mappings and binaries that the sampler lost or had no room for',
    ({ sampler }) => ({
      record: sampler.lostProcessRecords,
      event: sampler.lostProcessEvents,
      process: sampler.refusedProcesses,
      mapping: sampler.refusedMappings,
      binary: sampler.refusedBinaries,
    }),
  ],
  [
    'unwind_tables_refused_total',
    'reason',
    'Binaries without an unwind table, by limit; with none or unreadable frames',
    ({ unwindTables: { refused, withoutFrames, unreadable } }) => ({
      ...refused,
      without_frames: withoutFrames,
      unreadable,
    }),
  ],
  ['send_errors_total', 'code', 'Failed deliveries', (s) => s.send.errors],
  ['binary_problems_total', 'reason', 'Binaries that could not be read', (s) => s.binaries.problems],
  ['frames_unnamed_total', 'kind', 'Different frames per window without a name', (s) => s.unnamedFrames],
  [
    'symbols_failed_total',
    'reason',
    'Symbols that the server wanted and did not get',
    ({ symbols: { gone, unfit, hung, refused, errors } }) => ({ gone, unfit, hung, refused, errors }),
  ],
  [
    'symbols_debug_total',
    'what',
    'Uploads with debug sections (uploaded), of them from a separate debug file (file); larger than the server takes (too_large)',
    ({ symbols: { uploadedDebug, debugFiles, debugTooLarge } }) => ({
      uploaded: uploadedDebug,
      file: debugFiles,
      too_large: debugTooLarge,
    }),
  ],
];

/** All metrics of one scrape are of one moment, and stats() is called once for them. */
const SNAPSHOT_MS = 50;

/** Registers the agent's metrics; their values are taken from stats() when they are scraped. */
export function registerMetrics(registry: Registry, readStats: () => AgentStats): AgentMetrics {
  let snapshot: AgentStats | undefined;
  let takenAt = 0;
  const stats = (): AgentStats => {
    const now = performance.now();
    if (snapshot === undefined || now - takenAt > SNAPSHOT_MS) {
      snapshot = readStats();
      takenAt = now;
    }
    return snapshot;
  };
  const names: string[] = [];
  const named = (name: string): string => {
    const full = `fleetflame_agent_${name}`;
    names.push(full);
    return full;
  };
  const add = (metric: Counter | Gauge): void => registry.registerMetric(metric);
  for (const [name, help, read] of COUNTERS) {
    add(
      new Counter({
        name: named(name),
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(read(stats()));
        },
      }),
    );
  }
  for (const [name, help, read] of GAUGES) {
    add(
      new Gauge({
        name: named(name),
        help,
        registers: [],
        collect() {
          this.set(read(stats()));
        },
      }),
    );
  }
  for (const [name, label, help, read] of LABELLED_GAUGES) {
    add(
      new Gauge({
        name: named(name),
        help,
        labelNames: [label],
        registers: [],
        collect() {
          this.reset();
          for (const [value, now] of Object.entries(read(stats()))) this.set({ [label]: value }, now);
        },
      }),
    );
  }
  for (const [name, label, help, read] of LABELLED) {
    add(
      new Counter({
        name: named(name),
        help,
        labelNames: [label],
        registers: [],
        collect() {
          this.reset();
          for (const [value, count] of Object.entries(read(stats()))) this.inc({ [label]: value }, count);
        },
      }),
    );
  }
  const latency = new Histogram({
    name: named('send_seconds'),
    help: 'From sending a batch to its acknowledgement',
    buckets: LATENCY_BUCKETS,
    registers: [registry],
  });
  return {
    observeSend: (seconds) => latency.observe(seconds),
    close: () => {
      for (const name of names) registry.removeSingleMetric(name);
    },
  };
}

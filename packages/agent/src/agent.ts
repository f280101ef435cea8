import { hostname } from 'node:os';
import { createClient } from '@connectrpc/connect';
import { foreignFileStats, heldAgentCapabilities, Sampler, SamplerError } from '@fleetflame/bpf';
import { FleetflameError } from '@fleetflame/profile';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AgentStats } from './agent-stats.ts';
import { BatchWriter } from './batch-writer.ts';
import { BinaryTable } from './binaries/binary-table.ts';
import { kernelBuildId } from './binaries/kernel-build-id.ts';
import { pruneDirectory } from './binaries/prune-directory.ts';
import { readVdso } from './binaries/vdso.ts';
import { ProcFiles } from './labels/proc-files.ts';
import { ProcessTable } from './labels/process-table.ts';
import { Losses } from './losses.ts';
import { registerMetrics } from './metrics.ts';
import { FilterSource, type FilterOptions, type FilterStatus } from './filter/filter-source.ts';
import { isJitDump } from './names/jit-dump-file.ts';
import { JitNames } from './names/jit-names.ts';
import { KernelNames } from './names/kernel-names.ts';
import { newAgentId } from './send/agent-id.ts';
import { AgentIdentity } from './send/agent-identity.ts';
import { Sender } from './send/sender.ts';
import { createTransport } from './send/transport.ts';
import { Spool } from './spool/spool.ts';
import { UnwindTables } from './unwind-tables.ts';
import { SymbolUploader } from './upload/symbol-uploader.ts';
import type { UploadRules } from './upload/upload-rules.ts';
import type { FrameSources, UnnamedCounters } from './window/frame-resolver.ts';
import { Windows } from './window/windows.ts';

/** How often the sampler is emptied: a process must be looked at while it is there, and waking up costs. */
const COLLECT_EVERY_MS = 250;
/** A collection later than this was held up by something. */
const LATE_MS = 1000;
/** What stop() gives the sender for the last batch. */
const STOP_SEND_MS = 5000;
/** Unwind tables on disk: every binary of a desktop has 56 MB of them; updates leave old ones behind. */
const MAX_TABLE_CACHE_BYTES = 256 << 20;
/** Parts of Sampler.memory() that are in this process, not in the kernel. */
const OWN_BUFFERS: ReadonlySet<string> = new Set(['queue', 'rows']);
const MIN_WINDOW_MS = 1000;
const MAX_WINDOW_MS = 300_000;

export interface AgentOptions {
  /** Base URL of ingest, such as http://127.0.0.1:7171. */
  readonly serverUrl: string;
  /** Base URL of symbols. Default: serverUrl. */
  readonly symbolsUrl?: string | undefined;
  /** Samples per second and CPU, 1 to 1000. */
  readonly frequencyHz: number;
  /** Length of a batch, 1 s to 5 min. */
  readonly windowMs: number;
  readonly spoolDir: string;
  /** Default: DEFAULT_SPOOL_MAX_BYTES, 256 MiB. */
  readonly spoolMaxBytes?: number | undefined;
  /** Default: DEFAULT_SPOOL_MAX_AGE_MS. */
  readonly spoolMaxAgeMs?: number | undefined;
  /** Where unwind tables are kept between runs; created when missing. Default: nowhere, they are built anew. */
  readonly tableCacheDir?: string | undefined;
  /** Kernel memory for unwind tables, 0 to 1 GiB. Default: DEFAULT_TABLE_BYTES, 32 MiB. */
  readonly tableBudgetBytes?: number | undefined;
  readonly log: Logger;
  readonly registry: Registry;
  /** Added to every series, such as cloud_region; host_name here replaces this host's name. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What is profiled. Default: everything. */
  readonly filter?: FilterOptions | undefined;
  /** Is told of the filter at the start and whenever it was read again. */
  readonly onFilter?: ((filter: FilterStatus) => void) | undefined;
  /** What of binaries may be sent to the server. Default: all that names their code. */
  readonly upload?: UploadRules | undefined;
}

export interface Agent {
  /** Flushes the last window to the spool and tries for a bounded time to deliver what is there. */
  stop(): Promise<void>;
  stats(): AgentStats;
  /** Reads the filter file again now; otherwise within a second of a change. */
  reloadFilter(): void;
}

/**
 * Samples every process of this host and sends batches to the server until it is stopped.
 * @throws FleetflameError: `unsupported` when this host or user cannot sample, `invalid_input` for bad options.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  checkOptions(options);
  const { log } = options;
  const filter = new FilterSource(options.filter ?? {}, log);
  const spool = await Spool.open(options.spoolDir, {
    maxBytes: options.spoolMaxBytes,
    maxAgeMs: options.spoolMaxAgeMs,
    log,
  });
  const kernel = new KernelNames(log);
  await kernel.load(Date.now());
  if (options.tableCacheDir !== undefined) await pruneDirectory(options.tableCacheDir, MAX_TABLE_CACHE_BYTES);
  return new RunningAgent(options, spool, kernel, filter, startSampler(options, filter));
}

class RunningAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #identity: AgentIdentity;
  readonly #startedMs = Date.now();
  readonly #sampler: Sampler;
  readonly #spool: Spool;
  readonly #filter: FilterSource;
  readonly #kernel: KernelNames;
  readonly #processes: ProcessTable;
  readonly #files = new ProcFiles();
  readonly #binaries = new BinaryTable(this.#files.foreign);
  readonly #jit = new JitNames(this.#files);
  readonly #unnamed: UnnamedCounters = { kernel: 0, jit: 0, unmapped: 0, unreadable: 0 };
  readonly #windows: Windows;
  readonly #losses = new Losses();
  readonly #writer: BatchWriter;
  readonly #sender: Sender;
  readonly #uploader: SymbolUploader;
  readonly #tables: UnwindTables;
  readonly #closeMetrics: () => void;
  #samples = 0;
  /** CPUs come and go while batches wait. */
  #mostCpus = 0;
  #lastWindowAt = performance.now();
  #collections = 0;
  #lateCollections = 0;
  #loopCpuMicros = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = performance.now();
  #stopped: Promise<void> | undefined;

  constructor(
    options: AgentOptions,
    spool: Spool,
    kernel: KernelNames,
    filter: FilterSource,
    sampler: Sampler,
  ) {
    const { log, registry, frequencyHz, windowMs } = options;
    this.#options = options;
    this.#sampler = sampler;
    this.#identity = new AgentIdentity(newAgentId(this.#startedMs));
    this.#spool = spool;
    this.#kernel = kernel;
    this.#filter = filter;
    const { host_name: hostName, ...extra } = options.labels ?? {};
    this.#processes = new ProcessTable({ hostName: hostName ?? hostname(), extra }, this.#files);
    const vdso = readVdso(log);
    const sources: FrameSources = {
      kernel,
      kernelBuildId: kernelBuildId(),
      vdso,
      jit: this.#jit,
      binaries: this.#binaries,
    };
    this.#windows = new Windows({
      windowMs,
      periodNs: Math.round(1e9 / frequencyHz),
      processes: this.#processes,
      sources,
      unnamed: this.#unnamed,
    });
    this.#tables = new UnwindTables(
      { budgetBytes: options.tableBudgetBytes, cacheDir: options.tableCacheDir },
      sampler,
      this.#binaries,
      log,
    );
    const transport = createTransport(options.serverUrl);
    const metrics = registerMetrics(registry, () => this.stats());
    this.#closeMetrics = metrics.close;
    this.#sender = new Sender({
      spool,
      identity: this.#identity,
      // A former start may have had others.
      cpusOf: (createdMs) => (createdMs < this.#startedMs ? 0 : this.#mostCpus),
      client: createClient(IngestService, transport),
      log,
      onLatency: metrics.observeSend,
    });
    this.#writer = new BatchWriter({
      spool,
      identity: this.#identity,
      losses: this.#losses,
      log,
      onSpooled: () => this.#sender.notify(),
    });
    this.#uploader = new SymbolUploader({
      client: createClient(
        SymbolService,
        options.symbolsUrl === undefined ? transport : createTransport(options.symbolsUrl),
      ),
      binaries: this.#binaries,
      vdso,
      log,
      ...(options.upload === undefined ? {} : { rules: options.upload }),
    });
    this.#sender.start();
    log.info(
      { agentId: this.#identity.agentId, frequencyHz, windowMs, server: options.serverUrl },
      'sampling every process of this host',
    );
    const { rules } = filter.status();
    if (rules.length > 0) log.info({ rules }, 'but for those that the filter leaves out');
    options.onFilter?.(filter.status());
    this.#schedule();
  }

  #schedule(): void {
    this.#dueAt = performance.now() + COLLECT_EVERY_MS;
    this.#timer = setTimeout(() => {
      if (performance.now() - this.#dueAt > LATE_MS) this.#lateCollections++;
      const nowMs = Date.now();
      try {
        this.#collect(nowMs);
      } catch (error) {
        void this.#fail(error);
        return;
      }
      this.#kernel.maintain(nowMs);
      this.#schedule();
    }, COLLECT_EVERY_MS);
  }

  /** Sampling cannot go on: what was gathered is saved, then the process ends with the error. */
  async #fail(error: unknown): Promise<void> {
    this.#options.log.fatal({ err: error }, 'sampling has failed');
    this.#close(this.#windows.closeAll(), Date.now());
    await this.#writer.settled();
    throw error;
  }

  #collect(nowMs: number): void {
    const cpu = process.threadCpuUsage();
    this.#followFilter(nowMs, false);
    const collection = this.#sampler.collect();
    this.#collections++;
    this.#jit.beginCollection();
    for (const { kind, pid } of collection.processes) if (kind !== 'exit') this.#jit.forget(pid);
    this.#processes.apply(collection.processes, nowMs);
    this.#binaries.add(collection.binaries);
    for (const binary of collection.binaries) {
      if (isJitDump(binary.path)) this.#jit.announceDump(binary.pid, binary);
    }
    this.#windows.add(collection, nowMs);
    this.#close(this.#windows.close(nowMs), nowMs);
    const spent = process.threadCpuUsage(cpu);
    this.#loopCpuMicros += spent.user + spent.system;
  }

  reloadFilter(): void {
    this.#followFilter(Date.now(), true);
  }

  #followFilter(nowMs: number, now: boolean): void {
    if (this.#stopped !== undefined || !this.#filter.look(nowMs, now)) return;
    this.#sampler.setFilter(this.#filter.rules);
    this.#options.onFilter?.(this.#filter.status());
  }

  #close(windows: ReturnType<Windows['close']>, nowMs: number): void {
    for (const window of windows) {
      this.#lastWindowAt = performance.now();
      const sampler = this.#sampler.stats();
      this.#losses.setSampler(sampler);
      this.#mostCpus = Math.max(this.#mostCpus, sampler.cpus);
      this.#tables.watch(sampler);
      this.#losses.set('spool_full', this.#spool.counters.droppedSamples);
      this.#losses.set('spool_expired', this.#spool.counters.expiredSamples);
      this.#losses.set('refused', this.#spool.counters.refusedSamples);
      this.#samples += window.samples;
      this.#writer.write(window);
      this.#uploader.offer(window.buildIds, nowMs);
      this.#processes.sweep(nowMs);
      this.#binaries.beginWindow(nowMs);
    }
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#timer);
    const nowMs = Date.now();
    this.#sampler.close();
    // What the rings still held.
    this.#collect(nowMs);
    this.#close(this.#windows.closeAll(), nowMs);
    await this.#writer.settled();
    await Promise.all([this.#sender.stop(STOP_SEND_MS), this.#uploader.stop()]);
    this.#binaries.close();
    this.#files.foreign.dispose();
    await this.#kernel.settled();
    this.#closeMetrics();
    this.#options.log.info(
      { samples: this.#samples, spooled: this.#spool.length, losses: this.#losses.totals() },
      'sampling has ended',
    );
  }

  stats(): AgentStats {
    const sampler = this.#sampler.stats();
    const memory = this.#sampler.memory();
    const send = this.#sender.counters;
    return {
      agentId: this.#identity.agentId,
      startedMs: this.#startedMs,
      capabilities: heldAgentCapabilities(),
      frequencyHz: this.#options.frequencyHz,
      cpus: sampler.cpus,
      samples: this.#samples,
      losses: this.#losses.totals(),
      windows: this.#writer.windows,
      windowMs: this.#options.windowMs,
      lastWindowAgeMs: performance.now() - this.#lastWindowAt,
      collections: this.#collections,
      lateCollections: this.#lateCollections,
      spool: { batches: this.#spool.length, bytes: this.#spool.sizeBytes, ...this.#spool.counters },
      send: { ...send, errors: Object.fromEntries(send.errors) },
      processes: {
        known: this.#processes.size,
        labelSets: this.#processes.labelSetCount,
        ...this.#processes.counters,
      },
      binaries: {
        known: this.#binaries.size,
        openFiles: this.#binaries.openFiles,
        ...this.#binaries.counters,
      },
      foreignFiles: foreignFileStats(),
      kernel: {
        symbols: this.#kernel.symbolCount,
        bytes: this.#kernel.sizeBytes,
        readings: this.#kernel.readings,
        reason: this.#kernel.reason,
      },
      jit: {
        processes: this.#jit.processCount,
        entries: this.#jit.entryCount,
        ...this.#jit.counters,
      },
      unnamedFrames: { ...this.#unnamed },
      symbols: { ...this.#uploader.counters },
      unwindTables: this.#tables.stats(sampler),
      memory: {
        residentBytes: process.memoryUsage.rss(),
        sampler: memory,
        kernelBytes: Object.entries(memory).reduce(
          (sum, [part, bytes]) => (OWN_BUFFERS.has(part) ? sum : sum + bytes),
          0,
        ),
        kernelSymbolBytes: this.#kernel.sizeBytes,
      },
      sampler: {
        interrupts: sampler.interrupts,
        idle: sampler.idle,
        outside: sampler.outside,
        excluded: sampler.excluded,
        lostProcessRecords: sampler.lostProcessRecords,
        lostProcessEvents: sampler.lostProcessEvents,
        refusedProcesses: sampler.refusedProcesses,
        refusedMappings: sampler.refusedMappings,
        refusedBinaries: sampler.refusedBinaries,
      },
      filter: {
        ...this.#filter.status(),
        processes: sampler.excludedProcesses,
        cgroups: sampler.excludedCgroups,
        refused: sampler.refusedExclusions,
      },
      cpuSeconds: {
        excluded: sampler.excluded / this.#options.frequencyHz,
        loop: this.#loopCpuMicros / 1e6,
        drain: sampler.drainCpuNs / 1e9,
        bpf: sampler.bpfRunTimeNs / 1e9,
      },
    };
  }
}

function startSampler(
  { frequencyHz, tableCacheDir, tableBudgetBytes }: AgentOptions,
  filter: FilterSource,
): Sampler {
  try {
    return new Sampler({
      frequencyHz,
      filter: filter.rules,
      ...(tableBudgetBytes === undefined ? {} : { tableBytes: tableBudgetBytes }),
      ...(tableCacheDir === undefined ? {} : { tableCache: tableCacheDir }),
    });
  } catch (error) {
    if (!(error instanceof SamplerError)) throw error;
    // Other failures may be gone at the next attempt.
    const isLasting = error.code !== 'failed';
    throw new FleetflameError(
      isLasting ? 'unsupported' : 'unavailable',
      `This host's processes cannot be sampled: ${error.message}. \`fleetflame doctor\` says what is missing.`,
      { cause: error },
    );
  }
}

function checkOptions({ serverUrl, symbolsUrl, frequencyHz, windowMs }: AgentOptions): void {
  for (const [field, url] of Object.entries({ serverUrl, symbolsUrl })) {
    if (url === undefined || URL.canParse(url)) continue;
    throw new FleetflameError('invalid_input', `"${url}" is no URL, such as http://127.0.0.1:7171.`, {
      field,
    });
  }
  if (!Number.isInteger(frequencyHz) || frequencyHz < 1 || frequencyHz > 1000) {
    throw new FleetflameError('invalid_input', `The frequency is 1 to 1000 Hz, not ${frequencyHz}.`, {
      field: 'frequencyHz',
    });
  }
  if (!Number.isInteger(windowMs) || windowMs < MIN_WINDOW_MS || windowMs > MAX_WINDOW_MS) {
    throw new FleetflameError(
      'invalid_input',
      `The window is ${MIN_WINDOW_MS} to ${MAX_WINDOW_MS} ms, not ${windowMs}.`,
      { field: 'windowMs' },
    );
  }
}

import type { ProcessEvent } from '@fleetflame/bpf';
import { ContainerNames } from './container-names.ts';
import { LabelSet } from './label-set.ts';
import { ProcFiles } from './proc-files.ts';
import { type ProcessFacts, readProcessFacts } from './process-facts.ts';
import { type HostLabels, UNKNOWN_SERVICE, processLabels } from './process-labels.ts';
import { NO_RESOURCE } from './resource.ts';

/** Processes remembered; what comes beyond is labelled UNKNOWN_SERVICE. About 300 bytes each. */
export const MAX_PROCESSES = 65_536;
/**
 * Processes without samples that are read per collection, about 60 µs each: so that a burst of forks
 * costs little. Processes with samples are always read.
 */
export const MAX_EAGER_READS = 64;
/** A process may be moved to another cgroup after it was read: those with samples are read again. */
export const FACTS_TTL_MS = 10 * 60_000;
/** An environment that is empty for this long is so; before, the process may be in the middle of exec. */
const EMPTY_AFTER_MS = 2000;
/** An exited process stays this long: its last samples may come after the record of its exit. */
const EXITED_TTL_MS = 2000;

interface Process {
  facts: ProcessFacts;
  /** Whose facts these are as long as it has not been read itself; 0: nobody's. */
  readonly parentPid: number;
  labelSet: LabelSet | undefined;
  /** 0: only inherited so far. */
  readAtMs: number;
  exitedAtMs: number;
  /** When its environment was found empty for the first time, or 0. */
  emptyAtMs: number;
}

export interface ProcessTableCounters {
  /** /proc was read. */
  reads: number;
  /** Gone before /proc could be read: labels inherited from the parent. */
  inherited: number;
  /** Samples of processes that no record told of and that were gone. */
  unknown: number;
  /** Processes beyond MAX_PROCESSES. */
  overLimit: number;
  /** Thread names that became "(other)". */
  otherThreads: number;
}

const UNKNOWN_FACTS: ProcessFacts = {
  kernelThread: false,
  executable: '',
  comm: '',
  cgroup: {},
  resource: NO_RESOURCE,
  k8sContainerName: undefined,
};

/**
 * Which labels a pid has. Facts are read from /proc as soon as the process is seen; a process that is gone
 * by then keeps what it inherited from its parent, with its own executable from the record of its mapping.
 */
export class ProcessTable {
  readonly counters: ProcessTableCounters = {
    reads: 0,
    inherited: 0,
    unknown: 0,
    overLimit: 0,
    otherThreads: 0,
  };
  readonly #host: HostLabels;
  readonly #files: ProcFiles;
  readonly #containerNames: ContainerNames;
  readonly #processes = new Map<number, Process>();
  /** By the text of the labels. */
  readonly #labelSets = new Map<string, LabelSet>();
  /** To be read when there is time. */
  #unread = new Set<number>();
  #exited: number[] = [];

  constructor(host: HostLabels, files = new ProcFiles()) {
    this.#host = host;
    this.#files = files;
    this.#containerNames = new ContainerNames(files);
  }

  get size(): number {
    return this.#processes.size;
  }

  get labelSetCount(): number {
    return this.#labelSets.size;
  }

  /** Takes the records of one collection, before its samples are looked at. */
  apply(events: readonly ProcessEvent[], nowMs: number): void {
    for (const event of events) {
      if (event.kind === 'exit') this.#exit(event.pid, nowMs);
      else this.#begin(event);
    }
    // What is found gone costs next to nothing: a burst of short processes does not keep others waiting.
    const enough = this.counters.reads + MAX_EAGER_READS;
    const waiting = this.#unread;
    this.#unread = new Set();
    for (const pid of waiting) {
      if (this.counters.reads >= enough) {
        this.#unread.add(pid);
        continue;
      }
      const process = this.#processes.get(pid);
      if (process !== undefined && process.readAtMs === 0) this.#read(pid, process, nowMs);
    }
  }

  /** The labels of a process that has a sample. */
  labelSet(pid: number, nowMs: number): LabelSet {
    let process = this.#processes.get(pid);
    if (process === undefined) {
      process = this.#add(pid, UNKNOWN_FACTS, 0);
      if (process === undefined) return this.#intern({ ...this.#unknownLabels() });
    }
    const age = nowMs - process.readAtMs;
    // A clock that was set back makes ages negative.
    const isDue = process.readAtMs === 0 ? process.emptyAtMs === 0 : age > FACTS_TTL_MS || age < 0;
    if (isDue) this.#read(pid, process, nowMs);
    return (process.labelSet ??= this.#labelsOf(process));
  }

  /** Forgets processes that exited a while ago, and labels that no process has. Once per window. */
  sweep(nowMs: number): void {
    const kept: number[] = [];
    for (const pid of this.#exited) {
      const process = this.#processes.get(pid);
      if (process === undefined || process.exitedAtMs === 0) continue; // The pid is in use again.
      if (Math.abs(nowMs - process.exitedAtMs) > EXITED_TTL_MS) this.#processes.delete(pid);
      else kept.push(pid);
    }
    this.#exited = kept;
    const used = new Set<LabelSet>();
    for (const { labelSet } of this.#processes.values()) if (labelSet !== undefined) used.add(labelSet);
    for (const [key, labelSet] of this.#labelSets) if (!used.has(labelSet)) this.#labelSets.delete(key);
  }

  #begin(event: ProcessEvent): void {
    const old = this.#processes.get(event.pid);
    const from = event.kind === 'exec' && old !== undefined ? old : this.#processes.get(event.parentPid);
    const facts = inherit(from?.facts, event.executable, event.comm);
    if (this.#add(event.pid, facts, event.parentPid) !== undefined) this.#unread.add(event.pid);
  }

  #add(pid: number, facts: ProcessFacts, parentPid: number): Process | undefined {
    if (this.#processes.size >= MAX_PROCESSES && !this.#processes.has(pid)) {
      this.counters.overLimit++;
      return undefined;
    }
    const process: Process = {
      facts,
      parentPid,
      labelSet: undefined,
      readAtMs: 0,
      exitedAtMs: 0,
      emptyAtMs: 0,
    };
    this.#processes.set(pid, process);
    return process;
  }

  #exit(pid: number, nowMs: number): void {
    this.#unread.delete(pid);
    const process = this.#processes.get(pid);
    if (process === undefined || process.exitedAtMs !== 0) return;
    process.exitedAtMs = nowMs;
    this.#exited.push(pid);
  }

  #read(pid: number, process: Process, nowMs: number): void {
    // The first time the records are fresh; later, some may have been lost.
    const isFirst = process.readAtMs === 0;
    const known = isFirst ? process.facts : UNKNOWN_FACTS;
    process.readAtMs = Math.max(1, nowMs);
    // An exited process is gone from /proc, or its pid is already another's.
    const facts =
      process.exitedAtMs === 0 ? readProcessFacts(this.#files, this.#containerNames, pid, known) : undefined;
    if (facts !== undefined) {
      this.counters.reads++;
      process.labelSet = undefined;
      process.facts = {
        ...facts,
        // A forbidden or empty exe link leaves what the mapping's record told.
        executable: facts.kernelThread ? '' : facts.executable || process.facts.executable,
        resource: facts.resource ?? this.#parentFacts(process, nowMs)?.resource ?? process.facts.resource,
      };
      if (facts.resource === undefined) {
        if (process.emptyAtMs === 0) process.emptyAtMs = nowMs;
        if (nowMs - process.emptyAtMs < EMPTY_AFTER_MS) {
          process.readAtMs = 0;
          this.#unread.add(pid);
          return;
        }
        process.facts = { ...process.facts, resource: NO_RESOURCE };
      }
    } else if (isFirst) {
      if (process.facts === UNKNOWN_FACTS) this.counters.unknown++;
      else this.#inheritLate(process, nowMs);
    }
  }

  /** When it began, its parent may not have been read either. */
  #inheritLate(process: Process, nowMs: number): void {
    this.counters.inherited++;
    const facts = this.#parentFacts(process, nowMs);
    if (facts === undefined) return;
    process.facts = inherit(facts, process.facts.executable, process.facts.comm);
    process.labelSet = undefined;
  }

  /** What is known of the parent; read now if it has not been. */
  #parentFacts(process: Process, nowMs: number): ProcessFacts | undefined {
    const parent = this.#processes.get(process.parentPid);
    if (parent === undefined || parent === process) return undefined;
    if (parent.readAtMs === 0 && parent.emptyAtMs === 0) this.#read(process.parentPid, parent, nowMs);
    return parent.facts.kernelThread || parent.facts === UNKNOWN_FACTS ? undefined : parent.facts;
  }

  #labelsOf(process: Process): LabelSet {
    return process.facts === UNKNOWN_FACTS
      ? this.#intern(this.#unknownLabels())
      : this.#intern(processLabels(process.facts, this.#host));
  }

  #unknownLabels(): Record<string, string> {
    return processLabels({ ...UNKNOWN_FACTS, comm: UNKNOWN_SERVICE }, this.#host);
  }

  #intern(labels: Record<string, string>): LabelSet {
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    let labelSet = this.#labelSets.get(key);
    if (labelSet === undefined) {
      labelSet = new LabelSet(labels, () => this.counters.otherThreads++);
      this.#labelSets.set(key, labelSet);
    }
    return labelSet;
  }
}

/** A child of a kernel thread is one, until it is read and says otherwise. */
function inherit(from: ProcessFacts | undefined, executable: string, comm: string): ProcessFacts {
  const facts = from ?? UNKNOWN_FACTS;
  return { ...facts, executable: executable || facts.executable, comm: comm || facts.comm };
}

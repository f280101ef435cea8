import {
  ANONYMOUS_BINARY,
  KERNEL_BINARY,
  UNMAPPED_BINARY,
  VDSO_BINARY,
  type BinaryEvent,
  type Collection,
  type ProcessEvent,
} from '../collection.ts';
import type { Symbols } from './symbols.ts';

const SPECIAL = new Map([
  [KERNEL_BINARY, '[kernel]'],
  [ANONYMOUS_BINARY, '[anonymous]'],
  [UNMAPPED_BINARY, '[unmapped]'],
  [VDSO_BINARY, '[vdso]'],
]);

export interface RecordedFrame {
  /** Path of the file, or a name in brackets. */
  readonly binary: string;
  readonly address: bigint;
  readonly isReturn: boolean;
}

export interface RecordedSample {
  readonly pid: number;
  readonly comm: string;
  readonly timeMs: number;
  readonly count: number;
  readonly flags: number;
  /** Index of STACK_ENDS. */
  readonly end: number;
  /** Leaf first. */
  readonly frames: readonly RecordedFrame[];
}

/** Everything that was collected, unpacked for assertions. */
export class Recording {
  readonly samples: RecordedSample[] = [];
  readonly processes: ProcessEvent[] = [];
  readonly binaries = new Map<number, BinaryEvent>();

  add(collection: Collection): void {
    for (const binary of collection.binaries) this.binaries.set(binary.id, binary);
    this.processes.push(...collection.processes);
    for (let row = 0; row < collection.length; row++) {
      const frames: RecordedFrame[] = [];
      for (let at = collection.stackStart[row]!; at < collection.stackStart[row + 1]!; at++) {
        const id = collection.frameBinary[at]!;
        const binary = SPECIAL.get(id) ?? this.binaries.get(id)?.path;
        if (binary === undefined) throw new Error(`frame of binary ${id}, which was not reported`);
        frames.push({
          binary,
          address: collection.frameAddress[at]!,
          isReturn: collection.frameIsReturn[at] === 1,
        });
      }
      this.samples.push({
        pid: collection.pid[row]!,
        comm: collection.comms[collection.comm[row]!] ?? '',
        timeMs: collection.timeMs[row]!,
        count: collection.count[row]!,
        flags: collection.flags[row]!,
        end: collection.end[row]!,
        frames,
      });
    }
  }

  of(pid: number): RecordedSample[] {
    return this.samples.filter((sample) => sample.pid === pid);
  }

  /** Samples of a process and of those that it started. */
  family(pid: number): RecordedSample[] {
    const pids = new Set([pid]);
    for (const event of this.processes) {
      if (event.kind === 'start' && pids.has(event.parentPid)) pids.add(event.pid);
    }
    return this.samples.filter((sample) => pids.has(sample.pid));
  }

  events(pid: number): ProcessEvent[] {
    return this.processes.filter((event) => event.pid === pid);
  }
}

export function countOf(samples: readonly RecordedSample[]): number {
  return samples.reduce((sum, { count }) => sum + count, 0);
}

/**
 * Function names of the frames in `path`, outermost first, joined by ";". Without the start code,
 * which only tables find: so chains by frame pointers and by tables are equal.
 */
export function chainOf(sample: RecordedSample, path: string, symbols: Symbols): string {
  return sample.frames
    .filter(({ binary }) => binary === path)
    .map(({ address, isReturn }) => symbols.nameOf(isReturn ? address - 1n : address))
    .filter((name) => name !== '_start')
    .reverse()
    .join(';');
}

/** What compilers add to the name of a function that they cut into pieces. */
const PIECE = /\.(cold|part\.\d+)$/;

/** As chainOf, for the frames of all files that have symbols here, and with the start code. */
export function chainIn(sample: RecordedSample, symbols: ReadonlyMap<string, Symbols>): string {
  return (
    sample.frames
      .flatMap(
        ({ binary, address, isReturn }) =>
          symbols.get(binary)?.nameOf(isReturn ? address - 1n : address) ?? [],
      )
      .map((name) => name.replace(PIECE, ''))
      // Entries of the procedure linkage table have no symbols.
      .filter((name) => name !== '')
      .reverse()
      .join(';')
  );
}

/** CPU seconds of a process so far. */
export function cpuSecondsOf(statLine: string): number {
  const fields = statLine.slice(statLine.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const TICKS_PER_SECOND = 100;
  return ticks / TICKS_PER_SECOND;
}

import {
  ANONYMOUS_BINARY,
  type Collection,
  FIRST_FILE_BINARY,
  ForeignFiles,
  KERNEL_BINARY,
  STACK_ENDS,
  STACK_KERNEL_TRUNCATED,
  type StackEnd,
  UNMAPPED_BINARY,
} from '@fleetflame/bpf';
import type { Block } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { BinaryTable } from '../binaries/binary-table.ts';
import { NO_VDSO } from '../binaries/vdso.ts';
import { ProcFiles } from '../labels/proc-files.ts';
import { ProcessTable } from '../labels/process-table.ts';
import { JitNames } from '../names/jit-names.ts';
import { KernelNames } from '../names/kernel-names.ts';
import { blockRows } from '../testing/block-rows.ts';
import { FrameCache } from './frame-cache.ts';
import { Windows } from './windows.ts';

const WINDOW = 10_000;
const PERIOD = 52_631_579;
/** Start of a window. */
const T = 1_700_000_000_000;

interface Sample {
  readonly pid?: number;
  readonly timeMs: number;
  readonly count?: number;
  readonly comm?: string;
  /** Leaf first: binary, address, and whether it is a return address. */
  readonly frames?: readonly (readonly [binary: number, address: bigint, isReturn: 0 | 1])[];
  readonly end?: StackEnd;
  readonly flags?: number;
}

function collection(...samples: Sample[]): Collection {
  const comms = [...new Set(samples.map(({ comm = 'main' }) => comm))];
  const frames = samples.flatMap((sample) => sample.frames ?? []);
  const stackStart = [0];
  for (const sample of samples) stackStart.push((stackStart.at(-1) ?? 0) + (sample.frames?.length ?? 0));
  return {
    length: samples.length,
    pid: Uint32Array.from(samples, ({ pid = 7 }) => pid),
    comm: Uint32Array.from(samples, ({ comm = 'main' }) => comms.indexOf(comm)),
    timeMs: Float64Array.from(samples, ({ timeMs }) => timeMs),
    count: Uint32Array.from(samples, ({ count = 1 }) => count),
    stackStart: Uint32Array.from(stackStart),
    frameBinary: Uint32Array.from(frames, ([binary]) => binary),
    frameAddress: BigUint64Array.from(frames, ([, address]) => address),
    frameIsReturn: Uint8Array.from(frames, ([, , isReturn]) => isReturn),
    flags: Uint8Array.from(samples, ({ flags = 0 }) => flags),
    end: Uint8Array.from(samples, ({ end = 'none' }) => STACK_ENDS.indexOf(end)),
    comms,
    processes: [],
    binaries: [],
  };
}

function windows(): Windows {
  const log = pino({ enabled: false });
  return new Windows({
    windowMs: WINDOW,
    periodNs: PERIOD,
    processes: new ProcessTable({ hostName: 'h', extra: {} }, new ProcFiles('/nonexistent')),
    sources: {
      kernel: new KernelNames(log, '/nonexistent'),
      kernelBuildId: 'ab',
      vdso: NO_VDSO,
      jit: new JitNames(new ProcFiles('/nonexistent')),
      binaries: new BinaryTable(new ForeignFiles('/nonexistent')),
    },
    unnamed: { kernel: 0, jit: 0, unmapped: 0, unreadable: 0 },
  });
}

/** Absolute times of a block's points with their values, ascending. */
function points(block: Block): [timeMs: number, value: number][] {
  return [...block.samples.time]
    .map((time, i): [number, number] => [block.timeStartMs + time, block.samples.value[i] ?? 0])
    .sort((a, b) => a[0] - b[0]);
}

describe('windows', () => {
  test('end with the wall clock and hold the samples of their own seconds', () => {
    const all = windows();
    all.add(collection({ timeMs: T + 8000 }), T + 8200);
    expect(all.close(T + 8200)).toEqual([]);
    all.add(collection({ timeMs: T + 9000, count: 3 }, { timeMs: T + WINDOW }), T + WINDOW + 100);
    const [closed, ...others] = all.close(T + WINDOW + 100);
    expect(others).toEqual([]);
    expect(closed?.startMs).toBe(T);
    expect(closed === undefined ? [] : points(closed.build())).toEqual([
      [T + 8000, PERIOD],
      [T + 9000, 3 * PERIOD],
    ]);
    const [open] = all.closeAll();
    expect(open === undefined ? [] : points(open.build())).toEqual([[T + WINDOW, PERIOD]]);
  });

  test('a sample whose window is closed goes to the open one with its own time', () => {
    const all = windows();
    all.add(collection({ timeMs: T + 1000 }), T + 1100);
    all.add(collection(), T + WINDOW + 100);
    expect(all.close(T + WINDOW + 100)).toHaveLength(1);
    all.add(collection({ timeMs: T + 9000 }), T + WINDOW + 400);
    expect(all.closeAll().flatMap((window) => points(window.build()))).toEqual([[T + 9000, PERIOD]]);
  });

  test('a clock that is set loses no sample', () => {
    const all = windows();
    const clocks = [T, T + 250, T + 86_400_000, T + 86_400_250, T - 3_600_000, T - 3_599_750, T];
    let closed = 0;
    for (const now of clocks) {
      all.add(collection({ timeMs: Math.floor(now / 1000) * 1000 }), now);
      for (const window of all.close(now)) closed += window.samples;
    }
    for (const window of all.closeAll()) closed += window.samples;
    expect(closed).toBe(clocks.length);
  });
});

test('stacks share their callers, values are count times period, threads are series', () => {
  const all = windows();
  const outer = [UNMAPPED_BINARY, 0x1000n, 1] as const;
  all.add(
    collection(
      { timeMs: T, count: 2, frames: [[UNMAPPED_BINARY, 0x3000n, 0], outer] },
      { timeMs: T, count: 1, frames: [[UNMAPPED_BINARY, 0x4000n, 0], outer] },
      { timeMs: T, count: 5, comm: 'worker', frames: [[UNMAPPED_BINARY, 0x4000n, 0], outer] },
    ),
    T + 100,
  );
  const block = all.closeAll()[0]?.build();
  if (block === undefined) throw new Error('there is no window');
  expect(block.stacks.length).toBe(4);
  const rows = blockRows(block).map(({ labels, total, frames }) => [
    labels['thread_name'],
    total / PERIOD,
    frames.map(({ address }) => address),
  ]);
  expect(rows.sort((a, b) => (JSON.stringify(a[1]) < JSON.stringify(b[1]) ? -1 : 1))).toEqual([
    ['main', 1, [0x1000n, 0x4000n]],
    ['main', 2, [0x1000n, 0x3000n]],
    ['worker', 5, [0x1000n, 0x4000n]],
  ]);
});

test('frames without a name keep their address and what they belong to', () => {
  const all = windows();
  const kernelAddress = 0xffffffff81234567n;
  const jitAddress = 0x7f1234567890n;
  const frames = [
    [KERNEL_BINARY, kernelAddress, 0],
    [FIRST_FILE_BINARY, 0x2000n, 1],
    [ANONYMOUS_BINARY, jitAddress, 1],
  ] as const;
  all.add(collection({ timeMs: T, frames }), T + 100);
  const block = all.closeAll()[0]?.build();
  expect(block === undefined ? [] : blockRows(block)[0]?.frames).toEqual([
    { name: '', file: '[jit]', buildId: '', address: jitAddress },
    { name: '', file: '', buildId: '', address: 0x1fffn },
    { name: '', file: '[kernel]', buildId: 'ab', address: kernelAddress },
  ]);
});

test('where callers are missing there is a marker, and a count of the samples that have it', () => {
  const all = windows();
  const user = [UNMAPPED_BINARY, 0x1000n, 1] as const;
  const kernel = [KERNEL_BINARY, 0xffffffff81234567n, 0] as const;
  const flags = STACK_KERNEL_TRUNCATED;
  all.add(
    collection(
      { timeMs: T, count: 2, end: 'no_row', frames: [kernel, user] },
      { timeMs: T, count: 3, end: 'complete', flags, frames: [kernel, kernel, user] },
      { timeMs: T, count: 5, end: 'truncated', flags, frames: [kernel, user] },
      { timeMs: T, count: 7, end: 'none', flags, frames: [kernel] },
      { timeMs: T, count: 11, end: 'complete', frames: [kernel, user] },
    ),
    T + 100,
  );
  const [window] = all.closeAll();
  if (window === undefined) throw new Error('there is no window');
  const chains = blockRows(window.build()).map(({ total, frames }): [number, string] => [
    total / PERIOD,
    frames.map(({ name, file }) => name || file || 'user').join(' '),
  ]);
  const cut = '[unwind stopped: kernel truncated]';
  expect(new Map(chains)).toEqual(
    new Map([
      [2, '[unwind stopped: no row] user [kernel]'],
      [3, `user ${cut} [kernel] [kernel]`],
      [5, `[unwind stopped: truncated] user ${cut} [kernel]`],
      [7, `${cut} [kernel]`],
      [11, 'user [kernel]'],
    ]),
  );
  expect(new Map(window.shortened())).toEqual(
    new Map([
      ['stack_truncated', 5],
      ['stack_no_row', 2],
      ['stack_kernel_truncated', 15],
    ]),
  );
});

test('the frame cache gives back what was put in, whatever the keys', () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffff_ffff }));
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word, word), { maxLength: 6000, size: 'max' }), (keys) => {
      const cache = new FrameCache();
      const model = new Map<string, number>();
      for (const [i, [space, low, high]] of keys.entries()) {
        cache.set(space, low, high, i);
        model.set(`${space} ${low} ${high}`, i);
      }
      expect(cache.size).toBe(model.size);
      const wrong = keys.filter(([space, low, high]) => {
        const other = (high ^ 1) >>> 0;
        return (
          cache.get(space, low, high) !== model.get(`${space} ${low} ${high}`) ||
          cache.get(space, low, other) !== (model.get(`${space} ${low} ${other}`) ?? -1)
        );
      });
      expect(wrong).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

/**
 * Profiles that other tools wrote, in and out, checked by two readers that share no code with ours:
 * `go tool pprof` and pprof-format. fixtures/README.md says where the files are from.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as datadog from '@datadog/pprof';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { validateBlock } from '../../block/validate-block.ts';
import { encodeFolded } from '../folded/encode-folded.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { blockFromText, TEST_PROFILE_TYPE } from '../../testing/index.ts';
import { decodePprof } from './decode-pprof.ts';
import { encodePprof } from './encode-pprof.ts';
import { readProfile } from './testing/read-profile.ts';

const TIME_MS = 1_700_000_000_000;
let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-pprof-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url));
}

/** The sample lines of `go tool pprof -raw`, without location numbers: values, then labels. */
function goRaw(file: Uint8Array): { head: string; samples: string[]; locations: number; text: string } {
  const path = join(directory, 'profile.pb.gz');
  writeFileSync(path, file);
  const text = execFileSync('go', ['tool', 'pprof', '-symbolize=none', '-raw', path], { encoding: 'utf8' });
  const [head = '', rest = ''] = text.split('Samples:\n');
  const [samples = '', tables = ''] = rest.split('Locations\n');
  return {
    head,
    samples: samples
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^(\s*[-\d ]+):.*/, '$1').trim())
      .filter((line) => line !== ''),
    locations: tables.split('Mappings')[0]?.match(/^\s+\d+: 0x/gm)?.length ?? 0,
    text,
  };
}

/** Sums by sample type. */
function goTotals({ samples, text }: { samples: readonly string[]; text: string }): number[] {
  const types = /Samples:\n(.*)\n/.exec(text)?.[1]?.trim().split(' ') ?? [];
  const rows = samples.filter((line) => /^[-\d ]+$/.test(line)).map((line) => line.split(/ +/).map(Number));
  return types.map((_, type) => rows.reduce((sum, row) => sum + (row[type] ?? 0), 0));
}

/** A stack with its addresses counted from the beginning of the file that is mapped there. */
function inFile(stack: string, mappings: readonly string[]): string {
  return stack.replaceAll(/0x[0-9a-f]+/g, (address) => {
    for (const mapping of mappings) {
      const [start = 0, limit = 0, offset = 0] = (
        / [\da-f]+-[\da-f]+-[\da-f]+(?= |$)/.exec(mapping)?.[0] ?? ''
      )
        .split('-')
        .map((it) => Number(`0x${it.trim()}`));
      const at = Number(address);
      if (start > 0x7fff_ffff && at >= start && at < limit) return `0x${(at - start + offset).toString(16)}`;
    }
    return address;
  });
}

function nodeProfile(): Uint8Array {
  datadog.time.start({ intervalMicros: 1000, durationMillis: 200, withContexts: true, lineNumbers: false });
  const end = Date.now() + 100;
  let sum = 0;
  while (Date.now() < end) sum += Math.sqrt(sum + 1);
  expect(sum).toBeGreaterThan(0);
  const profile = datadog.time.stop(false, () => ({ thread: 'main', 'thread id': 7 }));
  return datadog.encodeSync(profile);
}

describe.each([
  [
    'go-cpu.pb.gz',
    ['process_cpu:samples:count:cpu:nanoseconds', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds'],
  ],
  [
    'go-heap.pb.gz',
    ['alloc_objects:count', 'alloc_space:bytes', 'inuse_objects:count', 'inuse_space:bytes'].map(
      (type) => `memory:${type}:space:bytes`,
    ),
  ],
  [
    'go-mutex.pb.gz',
    ['contentions:contentions:count:contentions:count', 'contentions:delay:nanoseconds:contentions:count'],
  ],
  [
    'go-block.pb.gz',
    ['contentions:contentions:count:contentions:count', 'contentions:delay:nanoseconds:contentions:count'],
  ],
  ['go-goroutine.pb.gz', ['goroutine:goroutine:count:goroutine:count']],
  ['go-threadcreate.pb.gz', ['threadcreate:threadcreate:count:threadcreate:count']],
  [
    'cpp-gperftools.pb.gz',
    ['process_cpu:samples:count:cpu:nanoseconds', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds'],
  ],
  ['node-cpu (live)', ['wall:sample:count:wall:nanoseconds', 'wall:wall:nanoseconds:wall:nanoseconds']],
])('%s', (name, types) => {
  let original: Uint8Array = new Uint8Array();
  beforeAll(() => {
    original = name.startsWith('node') ? nodeProfile() : fixture(name);
  });

  test('goes in with the totals that an independent reader finds', () => {
    const { block, totals } = decodePprof(original, { timeMs: TIME_MS });
    validateBlock(block);
    expect([...totals.keys()]).toEqual(types);
    expect([...totals.values()].map((total) => BigInt(total))).toEqual(readProfile(original).totals);
  });

  test('comes out with equal totals, labels, period and types, for two independent readers', () => {
    const before = readProfile(original);
    const { block, totals, timeMs } = decodePprof(original, { timeMs: TIME_MS });
    for (const [index, type] of types.entries()) {
      const file = encodePprof(block, { profileType: type });
      const after = readProfile(file);
      expect(after.totals).toEqual([before.totals[index]]);
      expect(after.totalsByLabels).toEqual(
        Object.fromEntries(
          Object.entries(before.totalsByLabels)
            .map(([labels, sums]) => [labels, [sums[index]]] as const)
            .filter(([, [sum]]) => sum !== 0n),
        ),
      );
      expect(after.sampleTypes).toEqual([before.sampleTypes[index]]);
      expect(after).toMatchObject({ periodType: before.periodType, period: before.period });
      expect(decodePprof(file).totals.get(type)).toBe(totals.get(type));

      const raw = goRaw(file);
      expect(goTotals(raw)).toEqual([goTotals(goRaw(original))[index]]);
      // Until 1.25, go tool pprof left out samples without locations, which threadcreate profiles have.
      const empty = name === 'go-threadcreate.pb.gz' ? [0] : [];
      expect([...empty, totals.get(type)]).toContain(goTotals(raw)[0]);
      const { sampleType, sampleUnit } = parseProfileType(type);
      expect(raw.text).toContain(`${sampleType}/${sampleUnit}\n`);
      expect(raw.head).toContain(`Time: ${new Date(timeMs).toISOString().slice(0, 10)}`);
    }
  });

  test('stacks are the same for an independent reader, and in folded form', () => {
    const type = types.at(-1) ?? '';
    const { block } = decodePprof(original, { timeMs: TIME_MS });
    const { stacks, mappings } = readProfile(original);
    const before = leafSums(
      stacks.map((stack) => inFile(stack, mappings)),
      types.length - 1,
    );
    const after = leafSums(readProfile(encodePprof(block, { profileType: type })).stacks, 0);
    expect(after).toEqual(before);
    const folded = encodeFolded(block, { profileType: type })
      .trim()
      .split('\n')
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    expect(folded).toBe(decodePprof(original, { timeMs: TIME_MS }).totals.get(type));
  });
});

test('a Go profile keeps inlined frames, start lines, system names, addresses and duration', () => {
  const { block, durationMs, timeMs } = decodePprof(fixture('go-cpu.pb.gz'));
  const raw = goRaw(fixture('go-cpu.pb.gz'));
  expect(new Date(timeMs).getUTCFullYear()).toBeGreaterThan(2020);
  expect(durationMs).toBeGreaterThan(1000);
  expect(raw.locations).toBeGreaterThan(20);
  expect(block.locations.length).toBe(raw.locations);
  const inlined = block.locations.lineStart.some(
    (start, row) => row > 0 && start - (block.locations.lineStart[row - 1] ?? 0) > 1,
  );
  expect(inlined).toBe(true);
  expect([...block.functions.systemName].every((name) => name !== 0)).toBe(true);
  expect([...block.locations.address].every((address) => address > 0n)).toBe(true);
  const folded = encodeFolded(block, {
    profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    groupBy: ['route', 'http.method'],
  });
  expect(folded).toMatch(
    /^\/api\/v1;GET;runtime\.main;main\.main;runtime\/pprof\.Do;main\.main\.func\d;main\.handle/m,
  );
  expect(folded).toMatch(/^\/größe;\(no http\.method\);runtime\.main/m);
});

test('a C++ profile without a time says so, and keeps locations that have no symbols', () => {
  const profile = fixture('cpp-gperftools.pb.gz');
  expect(() => decodePprof(profile)).toThrow(/has no time.*--time now/);
  const { block } = decodePprof(profile, { timeMs: TIME_MS });
  const folded = encodeFolded(block, { profileType: 'process_cpu:samples:count:cpu:nanoseconds' });
  expect(folded).toMatch(/libc\.so\.6\+0x27304;/);
});

test('go tool pprof -top shows our functions with their shares', () => {
  const path = join(directory, 'top.pb.gz');
  const block = blockFromText('main;handle;parse 300000000\nmain;handle;write 120000000\nmain 80000000');
  writeFileSync(path, encodePprof(block, { profileType: TEST_PROFILE_TYPE }));
  const text = execFileSync('go', ['tool', 'pprof', '-top', path], { encoding: 'utf8' });
  expect(text).toContain('Type: cpu');
  expect(text).toContain('500ms, 100% of 500ms total');
  expect(text).toMatch(/300ms 60\.00% 60\.00%\s+300ms 60\.00%\s+parse/);
  expect(text).toMatch(/80ms 16\.00%\s+100%\s+500ms\s+100%\s+main/);
});

/** By leaf frame and labels, the sum of one sample type. */
function leafSums(stacks: readonly string[], type: number): Record<string, bigint> {
  const sums: Record<string, bigint> = {};
  for (const stack of stacks) {
    const [, frames = '', values = ''] = /^(.*?)((?: -?\d+)+)$/s.exec(stack) ?? [];
    const value = BigInt(values.trim().split(' ')[type] ?? 0);
    if (value !== 0n) sums[frames] = (sums[frames] ?? 0n) + value;
  }
  return sums;
}

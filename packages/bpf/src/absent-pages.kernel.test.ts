import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { STACK_ENDS, STACK_READ_FAILED } from './collection.ts';
import { compileProgram } from './testing/compile.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { chainOf, countOf, type Recording, type RecordedSample } from './testing/recording.ts';
import { Symbols } from './testing/symbols.ts';

const TIMEOUT_MS = 90_000;
const ENOUGH = 40;

const directory = mkdtempSync(`${tmpdir()}/fleetflame-absent-`);
const load = new Load();
afterAll(() => {
  load.end();
  rmSync(directory, { recursive: true });
});

const endOf = ({ end }: RecordedSample): string => STACK_ENDS[end] ?? '';

it(
  'keeps the frames below a page of the stack that is not in memory, and says where it ended',
  async () => {
    const program = compileProgram('absent', directory, ['-fomit-frame-pointer']);
    const symbols = new Symbols(program);
    const pid = load.start(program, `${directory}/stack`, '8');
    // Once the tables are there: before, frame pointers are tried, which the program has none of.
    const failed = (recording: Recording): RecordedSample[] =>
      recording.of(pid).filter((sample) => endOf(sample) === 'read_failed');
    const { recording, stats } = await sampleUntil(
      { frequencyHz: 199 },
      (soFar) => countOf(failed(soFar)) > ENOUGH,
      TIMEOUT_MS,
    );
    const samples = failed(recording);
    expect(samples.every(({ flags }) => (flags & STACK_READ_FAILED) !== 0)).toBe(true);
    expect(new Set(samples.map((sample) => chainOf(sample, program, symbols)))).toEqual(
      new Set(['large_frame;innermost']),
    );
    expect(stats.stackReadFailed).toBeGreaterThanOrEqual(countOf(samples));
    // Where it is complete nothing is missing: the pages were there.
    for (const sample of recording.of(pid).filter((one) => endOf(one) === 'complete')) {
      expect(chainOf(sample, program, symbols)).toMatch(/^main|enter/);
    }
  },
  TIMEOUT_MS,
);

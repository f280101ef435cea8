import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Load } from './testing/load.ts';
import { buildWalker } from './testing/walker/build-walker.ts';
import { compareWithGdb } from './testing/walker/compare-with-gdb.ts';

/** The small version of bench/stacks/other-eyes.ts. */
const STOPS = 12;
const TIMEOUT_MS = 240_000;
const STAGES = ['recursion', 'aligned', 'exceptions', 'signals', 'opened', 'virtuals', 'clock_reading'];
const PERL = 'sub f { my $n = shift; $n < 2 ? $n : f($n-1) + f($n-2) } while (1) { f(12) }';

function source(name: string): string {
  return fileURLToPath(new URL(`testing/programs/${name}`, import.meta.url));
}

let directory = '';
let walker = '';
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-eyes-`);
  walker = buildWalker(directory);
  const options = ['-O2', '-fomit-frame-pointer', '-Wall', '-Werror'];
  const library = `${directory}/libnative.so`;
  execFileSync('gcc', [...options, '-shared', '-fPIC', source('native-library.c'), '-o', library]);
  const link = [library, `-Wl,-rpath,${directory}`, '-pthread', '-ldl'];
  execFileSync('g++', [...options, source('native.cc'), '-o', `${directory}/native`, ...link]);
}, TIMEOUT_MS);

afterAll(() => {
  load.end();
  rmSync(directory, { recursive: true });
});

it('finds the frames that gdb finds, in programs that gdb stopped', { timeout: TIMEOUT_MS }, async () => {
  const programs: [string, number][] = STAGES.map((stage) => [
    stage,
    load.start(`${directory}/native`, stage, `${directory}/libnative.so`),
  ]);
  programs.push(['perl', load.start('/usr/bin/perl', '-e', PERL)]);
  for (const [name, pid] of programs) {
    const agreement = await compareWithGdb({ walker, directory, pids: [pid], stops: STOPS });
    const { samples, equal, differences } = agreement;
    process.stdout.write(`${name}: ${equal} of ${samples} stacks equal\n`);
    expect([...differences], name).toEqual([]);
    expect(equal, name).toBe(STOPS);
  }
});

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { scaled, testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROUNDS = 1000;
/** Of each of some 330 cases. */
const TIMES = 50;
const SOURCES = [
  'testing/fuzz.cc',
  'build-id.cc',
  'cpu-list.cc',
  'event-queue.cc',
  'file.cc',
  'fold-table.cc',
  'mapping-list.cc',
  'perf-record.cc',
  'proc-text.cc',
  'sample-record.cc',
  'table-image.cc',
  '../unwind/byte-source.cc',
  '../unwind/reason.cc',
  '../unwind/registers.cc',
  '../unwind/rule-from-state.cc',
  '../unwind/table-writer.cc',
  '../unwind/unwind-table.cc',
];

const READERS = [
  'testing/fuzz-readers.cc',
  'build-id.cc',
  'cpu-list.cc',
  'file.cc',
  'perf-record.cc',
  'proc-text.cc',
  'sample-record.cc',
  '../unwind/byte-source.cc',
];
const CORPUS = fileURLToPath(new URL('testing/corpus/', import.meta.url));

let directory = '';

function build(names: readonly string[], output: string, ...extra: string[]): void {
  const sources = names.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const options = ['-std=gnu++20', '-g', '-O1', '-Wall', '-Wextra', '-Wno-missing-field-initializers'];
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  execFileSync('g++', [...options, ...sanitizers, ...extra, ...sources, '-o', `${directory}/${output}`], {
    stdio: 'inherit',
  });
}

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-fuzz-`);
  build(SOURCES, 'fuzz');
  build(READERS, 'fuzz-readers', '-DREPLAY');
}, 240_000);

afterAll(() => rmSync(directory, { recursive: true }));

it(
  'reads damaged input without harm, and keeps its tables right',
  () => {
    const seed = testSeed();
    const { stdout, stderr } = spawnSync(`${directory}/fuzz`, [String(seed), String(scaled(ROUNDS))], {
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`, `seed ${seed}`).toBe('ok\n');
  },
  scaled(120_000),
);

it(
  'reads the cases that fuzzing found, and damages of them, without harm',
  () => {
    const seed = testSeed();
    const files = readdirSync(CORPUS).map((name) => CORPUS + name);
    expect(files.length).toBeGreaterThan(5);
    const { stdout, stderr } = spawnSync(
      `${directory}/fuzz-readers`,
      [String(seed), String(scaled(TIMES)), ...files],
      {
        encoding: 'utf8',
      },
    );
    expect(`${stdout}${stderr}`, `seed ${seed}`).toBe('ok\n');
  },
  scaled(120_000),
);

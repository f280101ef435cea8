import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scaled, testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

const TIMES = 50;
const NATIVE = fileURLToPath(new URL('../../native/', import.meta.url));
const CORPUS = join(NATIVE, 'testing/corpus');

let folder = '';
let replay = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetflame-debug-fuzz-'));
  replay = join(folder, 'fuzz-debug-lines');
  const sources = readdirSync(NATIVE).filter((name) => name.endsWith('.cc') && name !== 'main.cc');
  const flags = [
    '-std=gnu++20',
    '-O1',
    '-DREPLAY',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
  ];
  const files = [...sources, 'testing/fuzz-debug-lines.cc'];
  execFileSync('g++', [...flags, ...files, '-ldw', '-lelf', '-lzstd', '-o', replay], { cwd: NATIVE });
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true }));

it(
  'what reads debug information takes the cases that fuzzing found, and damages of them, without harm',
  () => {
    const seed = testSeed();
    const files = readdirSync(CORPUS).map((name) => join(CORPUS, name));
    expect(files.length).toBeGreaterThan(8);
    const { stdout, stderr } = spawnSync(replay, [String(seed), String(scaled(TIMES)), ...files], {
      encoding: 'utf8',
      // libdw would look for .dwo files in the directory.
      cwd: folder,
    });
    expect(`${stdout}${stderr}`, `seed ${seed}`).toBe('ok\n');
  },
  scaled(120_000),
);

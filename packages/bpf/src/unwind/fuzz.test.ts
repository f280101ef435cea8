import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { scaled, testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { buildTool } from './testing/tool.ts';

/** Of each of some 750 cases. */
const TIMES = 25;
const CORPUS = fileURLToPath(new URL('testing/corpus/', import.meta.url));

let directory = '';
let replay = '';

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-unwind-fuzz-`);
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  replay = buildTool('fuzz-tables', directory, ['-O1', '-DREPLAY', ...sanitizers]);
}, 240_000);

afterAll(() => rmSync(directory, { recursive: true }));

it(
  'reads the cases that fuzzing found, and damages of them, without harm',
  () => {
    const seed = testSeed();
    const files = readdirSync(CORPUS).map((name) => CORPUS + name);
    expect(files.length).toBeGreaterThan(5);
    const { stdout, stderr } = spawnSync(replay, [String(seed), String(scaled(TIMES)), ...files], {
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`, `seed ${seed}`).toBe('ok\n');
  },
  scaled(120_000),
);

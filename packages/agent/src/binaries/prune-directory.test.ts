import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pruneDirectory } from './prune-directory.ts';

describe('pruneDirectory', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fleetflame-prune-'));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it('keeps the newest files that fit and removes the others', async () => {
    for (const [age, name] of ['new', 'middle', 'old'].entries()) {
      await writeFile(join(directory, name), new Uint8Array(100));
      await utimes(join(directory, name), 1_000_000 - age, 1_000_000 - age);
    }
    expect(await pruneDirectory(directory, 250)).toBe(1);
    expect((await readdir(directory)).sort()).toEqual(['middle', 'new']);
    expect(await pruneDirectory(directory, 250)).toBe(0);
  });

  it('creates a directory that is not there', async () => {
    expect(await pruneDirectory(join(directory, 'a', 'b'), 1)).toBe(0);
    expect(await readdir(join(directory, 'a'))).toEqual(['b']);
  });
});

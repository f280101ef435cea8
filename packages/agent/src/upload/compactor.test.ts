import { openSync } from 'node:fs';
import { ElfFile, bufferSource } from '@fleetflame/elf';
import { afterEach, describe, expect, it } from 'vitest';
import { Compactor } from './compactor.ts';

describe('Compactor', () => {
  const compactor = new Compactor();

  afterEach(async () => {
    await compactor.close();
  });

  const compact = async (path: string) =>
    await compactor.compact({ fd: openSync(path, 'r'), identity: 'abcdef0123456789', maxBytes: 128 << 20 });

  it('cuts one binary after another down to its symbols', async () => {
    for (const path of ['/bin/bash', '/bin/ls', process.execPath]) {
      const result = await compact(path);
      if (!('bytes' in result)) throw new Error(result.problem);
      expect(ElfFile.parse(bufferSource(result.bytes)).sections.map((section) => section.name)).toContain(
        '.dynsym',
      );
    }
  });

  it('reports a file that is not a binary and goes on', async () => {
    expect(await compact('/etc/passwd')).toHaveProperty('problem');
    expect(await compact('/bin/ls')).toHaveProperty('bytes');
  });

  it('starts anew after it was closed', async () => {
    expect(await compact('/bin/ls')).toHaveProperty('bytes');
    await compactor.close();
    expect(await compact('/bin/ls')).toHaveProperty('bytes');
  });
});

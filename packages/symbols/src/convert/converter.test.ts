import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { SYMBOL_LIMITS } from '../limits.ts';
import { BinaryRefused, Converter } from './converter.ts';

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-converter-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = buildProgram(PROGRAMS.cpp);
const buildId = ElfFile.parse(bufferSource(readFileSync(path))).identity ?? '';

/** A c++filt that never answers. */
function hanging(): string {
  const command = join(folder, 'hanging');
  writeFileSync(command, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  return command;
}

describe('Converter', () => {
  it('converts in a thread, one after the other', async () => {
    const converter = new Converter();
    const done = await Promise.all([converter.convert(path, buildId), converter.convert(path, buildId)]);
    expect(done.map((one) => one.source)).toEqual(['symtab', 'symtab']);
    expect(converter.waiting).toBe(0);
    await converter.close();
  });

  it('gives the reason for a file that it refuses, and goes on', async () => {
    const converter = new Converter();
    await expect(converter.convert(path, 'ffffffff')).rejects.toThrow(BinaryRefused);
    await expect(converter.convert(path, buildId)).resolves.toMatchObject({ source: 'symtab' });
    await converter.close();
  });

  it('ends a conversion that takes too long', async () => {
    const converter = new Converter({ timeoutMs: 300, demangle: { command: hanging() } });
    await expect(converter.convert(path, buildId)).rejects.toThrow(/longer than 0.3 s/);
    await converter.close();
  });

  it('keeps its queue within its bound', async () => {
    const converter = new Converter();
    const turns = Array.from({ length: SYMBOL_LIMITS.queuedConversions }, () =>
      converter.convert(path, 'ffffffff').catch(() => 'refused'),
    );
    await expect(converter.convert(path, buildId)).rejects.toMatchObject({ code: 'overloaded' });
    await converter.close();
    expect(await Promise.all(turns)).toContain('refused');
    await expect(converter.convert(path, buildId)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('says that the server is at fault when the file cannot be read', async () => {
    const converter = new Converter();
    await expect(converter.convert(join(folder, 'gone'), buildId)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await converter.close();
  });
});

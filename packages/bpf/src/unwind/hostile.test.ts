import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { FrameWriter, frameAddressOf, IMAGE_CODE, writeElfImage } from './testing/elf-image.ts';
import { ourRows, type TableSummary } from './testing/our-rows.ts';
import { buildTool } from './testing/tool.ts';

/**
 * The limits of build.h in memory: 2 Mi functions of 20 bytes, doubled while the list of them grows, and 8 Mi rows of 4
 * bytes, doubled too; some MB for the process itself.
 */
const MOST_BYTES = 200 << 20;
const PAGE = 4096;
/** advance_loc 1, def_cfa_offset 16, advance_loc 1, def_cfa_offset 24. */
const TWO_ROWS = [0x41, 0x0e, 16, 0x41, 0x0e, 24];

let directory = '';
let tool = '';

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-hostile-`);
  tool = buildTool('dump-rows', directory);
}, 240_000);

afterAll(() => rmSync(directory, { recursive: true }));

async function tableOf(name: string, path = `${directory}/${name}`): Promise<TableSummary> {
  const { summary } = await ourRows(tool, path, ['--rows', '0']);
  process.stdout.write(
    `${name}: ${summary.result}, ${summary.functions} functions, ${summary.rows} rows, ${summary.milliseconds.toFixed(0)} ms of CPU, ` +
      `${(summary.peakBytes / 2 ** 20).toFixed(1)} MiB held, ${(summary.residentBytes / 2 ** 20).toFixed(1)} MiB resident\n`,
  );
  expect(summary.residentBytes, name).toBeLessThan(MOST_BYTES);
  return summary;
}

/** `count` functions of `bytes` bytes, one after the other, all with the same instructions. */
function functionsOf(count: number, bytes: number, instructions: Uint8Array, codeBytes: number): Uint8Array {
  const writer = new FrameWriter(count * (24 + instructions.length) + PAGE, frameAddressOf(codeBytes));
  const cie = writer.cie();
  for (let i = 0; i < count; i++) {
    writer.fde(cie, IMAGE_CODE + BigInt((i * bytes) % codeBytes), bytes, instructions);
  }
  return writer.done();
}

describe('large files', () => {
  it('an executable of 1 GB with a million functions has a table', { timeout: 120_000 }, async () => {
    const codeBytes = 2 ** 30;
    const ehFrame = functionsOf(1_000_000, 1024, Uint8Array.from(TWO_ROWS), codeBytes);
    writeElfImage(`${directory}/gigabyte`, { codeBytes, ehFrame });
    const { result, functions, rows } = await tableOf('gigabyte');
    expect({ result, functions }).toEqual({ result: 'none', functions: 1_000_000 });
    expect(rows).toBe(3_000_000 + 1);
  });

  it('one with more functions than the limit is refused, not begun', { timeout: 120_000 }, async () => {
    const codeBytes = 2 ** 30;
    const ehFrame = functionsOf(2_200_000, 256, Uint8Array.from(TWO_ROWS), codeBytes);
    writeElfImage(`${directory}/functions`, { codeBytes, ehFrame });
    expect((await tableOf('functions')).result).toBe('too_many_functions');
  });

  it('one with more rows than the limit too', { timeout: 120_000 }, async () => {
    const codeBytes = 2 ** 24;
    const many = Uint8Array.from({ length: 600_000 }, (_, i) => TWO_ROWS[i % TWO_ROWS.length]!);
    const ehFrame = functionsOf(64, 2 ** 18, many, codeBytes);
    writeElfImage(`${directory}/rows`, { codeBytes, ehFrame });
    expect((await tableOf('rows')).result).toBe('too_many_rows');
  });
});

describe('files that lie', () => {
  const codeBytes = 2 ** 20;
  const usual = functionsOf(1000, 1024, Uint8Array.from(TWO_ROWS), codeBytes);

  it('the same segment and section 65,000 times', async () => {
    writeElfImage(`${directory}/repeated`, { codeBytes, ehFrame: usual, segments: 65_000, sections: 65_000 });
    const { result, functions } = await tableOf('repeated');
    expect({ result, functions }).toEqual({ result: 'none', functions: 1000 });
  });

  it('more segments and sections than there are', async () => {
    writeElfImage(`${directory}/counts`, { codeBytes, ehFrame: usual, claimedSections: 65_535 });
    expect((await tableOf('counts')).functions).toBe(1000);
    writeElfImage(`${directory}/segments`, { codeBytes, ehFrame: usual, claimedSegments: 65_535 });
    await tableOf('segments');
  });

  it('descriptions that name themselves, each other, and the middle of each other', async () => {
    const writer = new FrameWriter(1 << 20, frameAddressOf(codeBytes));
    const cie = writer.cie();
    const instructions = Uint8Array.from(TWO_ROWS);
    for (let i = 0; i < 10_000; i++) {
      const self = writer.length;
      const targets = [self, Math.max(0, self - 24), self + 24, (i * 7) % Math.max(1, self), cie];
      writer.fde(targets[i % targets.length]!, IMAGE_CODE + BigInt((i * 64) % codeBytes), 64, instructions);
    }
    writeElfImage(`${directory}/cycle`, { codeBytes, ehFrame: writer.done() });
    const { result, functions, skipped } = await tableOf('cycle');
    expect(result).toBe('none');
    expect(functions).toBeGreaterThanOrEqual(2000);
    expect(skipped).toBeGreaterThan(5000);
  });

  it('100,000 functions at one address', async () => {
    const writer = new FrameWriter(4 << 20, frameAddressOf(codeBytes));
    const cie = writer.cie();
    for (let i = 0; i < 100_000; i++) writer.fde(cie, IMAGE_CODE, codeBytes, Uint8Array.from(TWO_ROWS));
    writeElfImage(`${directory}/overlap`, { codeBytes, ehFrame: writer.done() });
    const { functions, overlaps } = await tableOf('overlap');
    expect({ functions, overlaps }).toEqual({ functions: 1, overlaps: 99_999 });
  });
});

describe('files that cannot be read', () => {
  it('a folder, a device, a file of the kernel, nothing', async () => {
    for (const [name, target] of Object.entries({
      folder: '/usr/lib',
      device: '/dev/zero',
      memory: '/proc/self/mem',
      none: '/nowhere',
    })) {
      symlinkSync(target, `${directory}/${name}`);
      expect((await tableOf(name)).result, name).toBe('not_elf');
    }
  });

  it('a file that is replaced and cut while it is read', { timeout: 120_000 }, async () => {
    const path = `${directory}/changing`;
    writeElfImage(`${directory}/other`, {
      codeBytes: 2 ** 22,
      ehFrame: functionsOf(4000, 1024, Uint8Array.from(TWO_ROWS), 2 ** 22),
    });
    const writer = spawn(
      'sh',
      [
        '-c',
        `while :; do cat /usr/bin/perl > ${path}; truncate -s 100000 ${path}; cat ${directory}/other > ${path}; done`,
      ],
      { stdio: 'ignore', detached: true },
    );
    const results = new Map<string, number>();
    try {
      for (let i = 0; i < 150; i++) {
        const { status, stdout } = spawnSync(tool, ['--rows', '0', path], { encoding: 'utf8' });
        expect(status, stdout).toBe(0);
        const { result, residentBytes } = JSON.parse(stdout) as TableSummary;
        expect(residentBytes).toBeLessThan(MOST_BYTES);
        results.set(result, (results.get(result) ?? 0) + 1);
      }
    } finally {
      if (writer.pid !== undefined) process.kill(-writer.pid, 'SIGKILL');
    }
    process.stdout.write(
      `changing: ${[...results].map(([result, count]) => `${count} × ${result}`).join(', ')}\n`,
    );
    expect(results.size).toBeGreaterThan(1);
  });
});

/** A disk that is really full: a small tmpfs, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Spool } from './spool.ts';

test('when the disk is full the oldest batches make room, and every one is counted', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetflame-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]);
  onTestFinished(() => {
    execFileSync('umount', [directory]);
    rmSync(directory, { recursive: true });
  });
  const spool = await Spool.open(directory, { log: pino({ enabled: false }) });
  const payload = Buffer.alloc(40 << 10, 1);
  for (let seq = 0n; seq < 20n; seq++) {
    await spool.put({ agentId: 'a', seq }, { samples: 3, createdMs: 0, payload });
  }
  const kept = readdirSync(directory).sort();
  expect(kept).toHaveLength(spool.length);
  expect(spool.counters).toMatchObject({ written: 20, dropped: 20 - kept.length });
  expect(spool.counters.droppedSamples).toBe(3 * (20 - kept.length));
  expect(kept.at(-1)).toContain('.000000000019.');
  const larger = { samples: 1, createdMs: 0, payload: Buffer.alloc(300 << 10) };
  await expect(spool.put({ agentId: 'a', seq: 20n }, larger)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(readdirSync(directory)).toEqual([]);
});

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  SPOOL_HEADER_BYTES,
  decodeSpoolFile,
  encodeSpoolFile,
  parseSpoolFileName,
  spoolFileName,
} from './spool-file.ts';
import { Spool } from './spool.ts';

const log = pino({ enabled: false });
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const batch = (text: string, samples = 1) => ({ samples, createdMs: 1000, payload: Buffer.from(text) });

async function drain(spool: Spool): Promise<string[]> {
  const seen: string[] = [];
  for (let next = spool.next(); next !== undefined; next = spool.next()) {
    const contents = await spool.read(next);
    if (contents === undefined) continue;
    seen.push(`${next.key.agentId}/${next.key.seq}: ${Buffer.from(contents.payload).toString()}`);
    await spool.delete(next);
  }
  return seen;
}

test('batches come out in the order of starts and numbers, under their own identity', async () => {
  const former = await Spool.open(directory, { log });
  for (let seq = 0n; seq < 12n; seq++) await former.put({ agentId: 'a1', seq }, batch(`former ${seq}`));
  const spool = await Spool.open(directory, { log });
  await spool.put({ agentId: 'a2', seq: 0n }, batch('new'));
  const seen = await drain(spool);
  expect(seen).toEqual([...Array.from({ length: 12 }, (_, i) => `a1/${i}: former ${i}`), 'a2/0: new']);
  expect([spool.length, spool.sizeBytes, readdirSync(directory)]).toEqual([0, 0, []]);
});

test('a full spool drops its oldest batches, counts them and their samples', async () => {
  const size = SPOOL_HEADER_BYTES + 100;
  const spool = await Spool.open(directory, { maxBytes: 3 * size, log });
  for (let seq = 0n; seq < 5n; seq++) {
    await spool.put({ agentId: 'a', seq }, batch(String(seq).repeat(100), 10 + Number(seq)));
  }
  expect(spool.counters).toMatchObject({ written: 5, dropped: 2, droppedSamples: 21 });
  expect(spool.sizeBytes).toBe(3 * size);
  expect((await drain(spool)).map((line) => line.slice(0, 4))).toEqual(['a/2:', 'a/3:', 'a/4:']);
});

test('the batch that is on its way is not dropped for room: its sender says what became of it', async () => {
  const size = SPOOL_HEADER_BYTES + 100;
  const spool = await Spool.open(directory, { maxBytes: 2 * size, log });
  for (const seq of [0n, 1n]) await spool.put({ agentId: 'a', seq }, batch(String(seq).repeat(100)));
  const sending = spool.next()!;
  await spool.put({ agentId: 'a', seq: 2n }, batch('2'.repeat(100)));
  expect(await spool.read(sending)).toMatchObject({ samples: 1 });
  await spool.delete(sending);
  expect((await drain(spool)).map((line) => line.slice(0, 4))).toEqual(['a/2:']);
  expect(spool.counters).toMatchObject({ written: 3, dropped: 1 });
});

test('a batch that is larger than the whole spool is refused, and costs no other', async () => {
  const spool = await Spool.open(directory, { maxBytes: 200, log });
  await spool.put({ agentId: 'a', seq: 0n }, batch('small'));
  await expect(spool.put({ agentId: 'a', seq: 1n }, batch('x'.repeat(200)))).rejects.toThrow('whole spool');
  expect(await drain(spool)).toEqual(['a/0: small']);
});

test('what a crash left half-written is removed and never sent', async () => {
  const spool = await Spool.open(directory, { log });
  await spool.put({ agentId: 'a', seq: 0n }, batch('whole'));
  const whole = readFileSync(join(directory, spoolFileName({ agentId: 'a', seq: 0n })));
  writeFileSync(join(directory, 'a.000000000001.batch.tmp'), whole.subarray(0, 20));
  writeFileSync(join(directory, 'notes.txt'), 'not ours');
  const next = await Spool.open(directory, { log });
  expect(next.length).toBe(1);
  expect(readdirSync(directory).sort()).toEqual(['a.000000000000.batch', 'notes.txt']);
});

test('a corrupt file is set aside and counted, and the others go on', async () => {
  const spool = await Spool.open(directory, { log });
  for (let seq = 0n; seq < 3n; seq++) await spool.put({ agentId: 'a', seq }, batch(`batch ${seq}`));
  const path = join(directory, spoolFileName({ agentId: 'a', seq: 1n }));
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  rmSync(join(directory, spoolFileName({ agentId: 'a', seq: 2n })));
  expect(await drain(spool)).toEqual(['a/0: batch 0']);
  expect(spool.counters.corrupt).toBe(2);
  expect(readdirSync(join(directory, 'corrupt'))).toEqual(['a.000000000001.batch']);
  expect([spool.length, spool.sizeBytes]).toEqual([0, 0]);
});

test('a refused batch is set aside and counted', async () => {
  const spool = await Spool.open(directory, { log });
  await spool.put({ agentId: 'a', seq: 0n }, batch('bad', 7));
  const oldest = spool.next();
  if (oldest === undefined) throw new Error('the spool is empty');
  await spool.refuse(oldest, 7);
  expect(spool.counters).toMatchObject({ refused: 1, refusedSamples: 7 });
  expect(readdirSync(join(directory, 'refused'))).toHaveLength(1);
  expect(spool.next()).toBeUndefined();
});

test('a disk that cannot be written to fails the put and leaves nothing behind', async () => {
  const spool = await Spool.open(directory, { log });
  rmSync(directory, { recursive: true });
  await expect(spool.put({ agentId: 'a', seq: 0n }, batch('x'))).rejects.toThrow('ENOENT');
  expect([spool.length, spool.sizeBytes]).toEqual([0, 0]);
  await Spool.open(directory, { log });
});

describe('the file format', () => {
  test('gives back what went in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(), (payload, samples, createdMs) => {
        const decoded = decodeSpoolFile(encodeSpoolFile({ samples, createdMs, payload }));
        if (typeof decoded === 'string') throw new Error(decoded);
        expect({ ...decoded, payload: Buffer.from(decoded.payload).toString('hex') }).toEqual({
          samples,
          createdMs,
          payload: Buffer.from(payload).toString('hex'),
        });
      }),
    );
  });

  test('notices every flipped bit and every cut', () => {
    const file = encodeSpoolFile(batch('a batch of samples'));
    for (let bit = 0; bit < file.length * 8; bit++) {
      const broken = Buffer.from(file);
      broken[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeSpoolFile(broken)).toBeTypeOf('string');
    }
    for (let length = 0; length < file.length; length++) {
      expect(decodeSpoolFile(file.subarray(0, length))).toBeTypeOf('string');
    }
  });

  test('names carry agent and number, and nothing else is taken for a batch', () => {
    const key = { agentId: 'mb3-0_Z', seq: 1_234_567_890_123n };
    expect(parseSpoolFileName(spoolFileName(key))).toEqual(key);
    for (const name of [
      '',
      'a.batch',
      'a.1.batch.tmp',
      '../a.1.batch',
      'ä.1.batch',
      'a.99999999999999999999.batch',
    ]) {
      expect(parseSpoolFileName(name)).toBeUndefined();
    }
  });
});

test('a clock that is set ahead makes nothing old that was put since the start', async () => {
  const spool = await Spool.open(directory, { maxAgeMs: 60_000, log });
  const dayMs = 86_400_000;
  await spool.put({ agentId: 'a', seq: 0n }, { ...batch('now'), createdMs: Date.now() });
  await spool.put({ agentId: 'a', seq: 1n }, { ...batch('late'), createdMs: Date.now() - 61_000 });
  const inDays = Date.now() + 10 * dayMs;
  const isGivenUp = async (of: Spool): Promise<boolean> => {
    const next = of.next()!;
    return await of.giveUpIfOld(next, (await of.read(next))!, inDays);
  };
  expect(await isGivenUp(spool)).toBe(false);
  // Nor, right after a start, what a former one left.
  expect(await isGivenUp(await Spool.open(directory, { maxAgeMs: 60_000, log }))).toBe(false);
  await spool.delete(spool.next()!);
  expect(await isGivenUp(spool)).toBe(true);
  expect(spool.counters).toMatchObject({ expired: 1, dropped: 0, refused: 0 });
});

import http2 from 'node:http2';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { ERROR_CODE_HEADER } from '@fleetflame/profile';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Spool } from '../spool/spool.ts';
import { IngestServer, portOf } from '../testing/ingest-server.ts';
import { AgentIdentity } from './agent-identity.ts';
import { FIRST_DELAY_MS, MAX_DELAY_MS, backoffMs } from './backoff.ts';
import { CATCH_UP_BYTES_PER_S, MAX_SUSPECT_ANSWERS, Sender } from './sender.ts';
import { createTransport } from './transport.ts';

const log = pino({ enabled: false });
let identity: AgentIdentity;
let directory: string;
let server: IngestServer;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-sender-'));
  server = new IngestServer();
  identity = new AgentIdentity('agent');
});
afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

async function spoolOf(...texts: string[]): Promise<Spool> {
  const spool = await Spool.open(directory, { log });
  for (const [i, text] of texts.entries()) {
    await spool.put(
      { agentId: 'agent', seq: BigInt(i) },
      { samples: 1, createdMs: Date.now(), payload: Buffer.from(text) },
    );
  }
  return spool;
}

function senderTo(url: string, spool: Spool): Sender {
  const client = createClient(IngestService, createTransport(url));
  const sender = new Sender({ spool, identity, client, log, backoffMs: () => 10 });
  sender.start();
  return sender;
}

const texts = (server: IngestServer): string[][] =>
  [...server.kept].map(([key, block]) => [key, Buffer.from(block).toString()]);

const empty = (spool: Spool) =>
  vi.waitFor(() => expect(spool.length).toBe(0), { timeout: 10_000, interval: 5 });

test('batches are delivered oldest first and leave the spool when they are acknowledged', async () => {
  const spool = await spoolOf('zero', 'one', 'two');
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect(texts(server)).toEqual([
    ['agent/0', 'zero'],
    ['agent/1', 'one'],
    ['agent/2', 'two'],
  ]);
  await spool.put(
    { agentId: 'agent', seq: 3n },
    { samples: 1, createdMs: Date.now(), payload: Buffer.from('three') },
  );
  sender.notify();
  await empty(spool);
  expect(texts(server).at(-1)).toEqual(['agent/3', 'three']);
  expect(sender.counters).toMatchObject({ sent: 4, sentBytes: 15, duplicates: 0 });
  expect(readdirSync(directory)).toEqual([]);
  await sender.stop(1000);
});

test('a busy server gets the same batch again until it takes it', async () => {
  const spool = await spoolOf('zero', 'one');
  server.before = (call) => {
    if (call <= 3) throw new ConnectError('full', Code.ResourceExhausted);
  };
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect([...server.kept.keys()]).toEqual(['agent/0', 'agent/1']);
  expect(server.calls).toBe(5);
  expect(sender.counters.errors).toEqual(new Map([['ResourceExhausted', 3]]));
  await sender.stop(1000);
});

test('an answer that is lost makes a duplicate, which counts once', async () => {
  const spool = await spoolOf('zero');
  server.after = (call) => {
    if (call === 1) throw new ConnectError('gone', Code.Unavailable);
  };
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect(server.kept.size).toBe(1);
  expect(sender.counters).toMatchObject({ sent: 1, duplicates: 1 });
  await sender.stop(1000);
});

test('a refused batch is set aside with the reason and does not hold up the next', async () => {
  const spool = await spoolOf('bad', 'good');
  server.before = (_, key) => {
    if (key === 'agent/0') throw new ConnectError('series[0]: bad label', Code.InvalidArgument);
  };
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect(texts(server).map(([, text]) => text)).toEqual(['good']);
  expect(spool.counters.refused).toBe(1);
  expect(readdirSync(join(directory, 'refused'))).toHaveLength(1);
  expect(sender.counters.lastError).toContain('series[0]: bad label');
  await sender.stop(1000);
});

test('a batch that makes the server fail gives way after a number of attempts, and is kept', async () => {
  const spool = await spoolOf('poison', 'good');
  server.before = (_, key) => {
    if (key === 'agent/0') throw new Error('a bug');
  };
  const sender = senderTo(await server.listen(), spool);
  await vi.waitFor(() => expect(server.kept.size).toBe(1), { timeout: 10_000 });
  expect(server.calls).toBe(MAX_SUSPECT_ANSWERS + 1);
  expect(texts(server).map(([, text]) => text)).toEqual(['good']);
  await vi.waitFor(() => expect(spool.length).toBe(1));
  expect(spool.counters.refused).toBe(0);
  await sender.stop(1000);
});

test('an outage is not held against the batch that meets a failure after it', async () => {
  const spool = await spoolOf('zero', 'one');
  server.before = () => {
    if (server.calls <= 2 * MAX_SUSPECT_ANSWERS) throw new ConnectError('busy', Code.Unavailable);
    if (server.calls < 3 * MAX_SUSPECT_ANSWERS) throw new Error('starting');
  };
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect(texts(server).map(([, text]) => text)).toEqual(['zero', 'one']);
  expect(spool.counters.refused).toBe(0);
  await sender.stop(1000);
});

const refused = (message: string, code: Code, name: string): ConnectError =>
  new ConnectError(message, code, { [ERROR_CODE_HEADER]: name });

test('what the server cannot take at the moment lets others go first, and is never set aside', async () => {
  const spool = await spoolOf('zero', 'one', 'two');
  let later = false;
  server.before = (_, key) => {
    if (key === 'agent/0' && !later) throw refused('other clock', Code.ResourceExhausted, 'not_now');
    if (key === 'agent/1' && !later) throw refused('of the server', Code.InvalidArgument, 'corrupt_data');
  };
  const sender = senderTo(await server.listen(), spool);
  await vi.waitFor(() => expect(spool.length).toBe(2), { timeout: 10_000 });
  expect(texts(server)).toEqual([['agent/2', 'two']]);
  await sender.stop(1000);
  expect(spool.counters.refused).toBe(0);
  expect(sender.counters.postponed).toBe(2);
  // Of a former start: it does not know what was postponed.
  later = true;
  const again = senderTo(`http://127.0.0.1:${server.port}`, spool);
  await empty(spool);
  expect(texts(server).map(([, text]) => text)).toEqual(['two', 'zero', 'one']);
  await again.stop(1000);
});

test('a batch whose number is taken goes out under a fresh id, and so does all that follows', async () => {
  const spool = await spoolOf('zero', 'one');
  for (let i = 0; i < 2; i++) identity.nextKey();
  for (const seq of [0, 2, 3]) server.kept.set(`agent/${seq}`, Buffer.from('of a stranger'));
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  const put = (text: string): Promise<void> =>
    spool.put(identity.nextKey(), { samples: 1, createdMs: Date.now(), payload: Buffer.from(text) });
  await put('two');
  sender.notify();
  await empty(spool);
  const own = texts(server).filter(([, text]) => text !== 'of a stranger');
  expect(own.map(([, text]) => text)).toEqual(['zero', 'one', 'two']);
  const fresh = identity.agentId;
  expect(fresh).not.toBe('agent');
  expect(own.map(([key]) => key)).toEqual([`${fresh}/0`, 'agent/1', `${fresh}/1`]);
  expect(sender.counters).toMatchObject({ sent: 3, duplicates: 0, renumbered: 1 });
  expect(spool.counters.refused).toBe(0);
  await sender.stop(1000);
});

test('fresh numbers outlive a crash: what was sent under them is repeated under them', async () => {
  const spool = await spoolOf('zero', 'one');
  server.kept.set('agent/0', Buffer.from('of a stranger'));
  server.after = (call) => {
    if (call > 1) throw new ConnectError('gone', Code.Unavailable);
  };
  const url = await server.listen();
  const first = senderTo(url, spool);
  await vi.waitFor(() => expect(server.kept.size).toBe(2), { timeout: 10_000 });
  await first.stop(1000);
  server.after = () => undefined;
  const reopened = await Spool.open(directory, { log });
  const second = senderTo(url, reopened);
  await empty(reopened);
  expect(texts(server).filter(([, text]) => text === 'zero')).toHaveLength(1);
  expect(second.counters).toMatchObject({ sent: 2, duplicates: 1, renumbered: 0 });
  await second.stop(1000);
});

test('a server that finds every number taken is waited for', async () => {
  const spool = await spoolOf('zero');
  server.before = () => {
    throw refused('taken', Code.AlreadyExists, 'conflict');
  };
  const sender = senderTo(await server.listen(), spool);
  await vi.waitFor(() => expect(server.calls).toBeGreaterThan(8), { timeout: 10_000 });
  expect(sender.counters.renumbered).toBeLessThan(4);
  expect([spool.length, spool.counters.refused]).toEqual([1, 0]);
  await sender.stop(1000);
});

test('one answer that a batch is wrong may be of a damaged request: it is sent once more', async () => {
  const spool = await spoolOf('zero');
  server.before = (call) => {
    if (call === 1) throw refused('checksum mismatch', Code.InvalidArgument, 'invalid_input');
  };
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect(texts(server)).toEqual([['agent/0', 'zero']]);
  expect([server.calls, spool.counters.refused]).toEqual([2, 0]);
  await sender.stop(1000);
});

test('a wrong password or address keeps batches in the spool', async () => {
  const spool = await spoolOf('zero');
  server.before = () => {
    throw new ConnectError('who?', Code.Unauthenticated);
  };
  const sender = senderTo(await server.listen(), spool);
  await vi.waitFor(() => expect(server.calls).toBeGreaterThan(MAX_SUSPECT_ANSWERS), { timeout: 10_000 });
  expect(spool.length).toBe(1);
  await sender.stop(1000);
  expect(spool.length).toBe(1);
});

test('a server that comes back gets everything, also what an agent of a former start left', async () => {
  const url = await server.listen();
  const { port } = server;
  await server.close();
  const spool = await spoolOf('zero', 'one');
  const first = senderTo(url, spool);
  await vi.waitFor(() => expect(first.counters.errors.size).toBeGreaterThan(0), { timeout: 10_000 });
  await first.stop(1000);
  expect(spool.length).toBe(2);

  server = new IngestServer();
  await server.listen(port);
  const reopened = await Spool.open(directory, { log });
  const second = senderTo(url, reopened);
  await empty(reopened);
  expect([...server.kept.keys()]).toEqual(['agent/0', 'agent/1']);
  await second.stop(1000);
});

test('stop delivers what is spooled when the server answers, and gives up in time when it does not', async () => {
  const spool = await spoolOf('zero', 'one', 'two');
  const sender = senderTo(await server.listen(), spool);
  await sender.stop(10_000);
  expect([server.kept.size, spool.length]).toEqual([3, 0]);

  await spool.put(
    { agentId: 'agent', seq: 3n },
    { samples: 1, createdMs: Date.now(), payload: Buffer.from('x') },
  );
  const silent = http2.createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const sessions: http2.ServerHttp2Session[] = [];
  silent.on('session', (session) => sessions.push(session));
  const waiting = senderTo(`http://127.0.0.1:${portOf(silent)}`, spool);
  await vi.waitFor(() => expect(sessions).toHaveLength(1), { timeout: 10_000 });
  await waiting.stop(50);
  expect(spool.length).toBe(1);
  for (const session of sessions) session.destroy();
  silent.close();
});

test('what waited for longer than servers take it is given up and counted, the rest is sent', async () => {
  const spool = await Spool.open(directory, { log, maxAgeMs: 60_000 });
  const ages = [120_000, 61_000, 0];
  for (const [i, age] of ages.entries()) {
    const payload = Buffer.from(`${i}`);
    await spool.put(
      { agentId: 'agent', seq: BigInt(i) },
      { samples: 7, createdMs: Date.now() - age, payload },
    );
  }
  const sender = senderTo(await server.listen(), spool);
  await empty(spool);
  expect([...server.kept.keys()]).toEqual(['agent/2']);
  expect(spool.counters).toMatchObject({ expired: 2, expiredSamples: 14, dropped: 0 });
  await sender.stop(1000);
});

test('who catches up is paced, and still sends in order', async () => {
  const spool = await Spool.open(directory, { log });
  const payload = Buffer.alloc(CATCH_UP_BYTES_PER_S / 10);
  for (let seq = 0n; seq < 4n; seq++) {
    await spool.put({ agentId: 'agent', seq }, { samples: 1, createdMs: Date.now(), payload });
  }
  const url = await server.listen();
  const startedMs = performance.now();
  const sender = senderTo(url, spool);
  await empty(spool);
  // A lower bound: three pauses of a tenth of a second lie between four batches.
  expect(performance.now() - startedMs).toBeGreaterThan(290);
  expect([...server.kept.keys()]).toEqual(['agent/0', 'agent/1', 'agent/2', 'agent/3']);
  await sender.stop(1000);
});

test('the wait before a retry doubles up to a bound, with a random half', () => {
  expect(backoffMs(1, 0)).toBe(FIRST_DELAY_MS / 2);
  expect(backoffMs(1, 1)).toBe(FIRST_DELAY_MS);
  expect(backoffMs(3, 1)).toBe(FIRST_DELAY_MS * 4);
  expect(backoffMs(1000, 1)).toBe(MAX_DELAY_MS);
});

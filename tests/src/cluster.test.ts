import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Code, ConnectError } from '@connectrpc/connect';
import { BlockBuilder, encodeBlock } from '@fleetflame/profile';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { S3_FAULTS } from '@fleetflame/store/testing';
import { Cluster, ClusterProcess } from './support/cluster.ts';
import { run, runCli, until } from './support/product.ts';
import { Workshop } from './support/workloads.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const WRITERS = 6;
/** Of the requests to S3, while the processes are restarted: hundreds of failures, each of which must be cured. */
const FAULTS = 0.1;
const SEED = testSeed();

/** What a writer knows: it sends one batch at a time, and repeats it until somebody acks it. */
interface Written {
  acked: number;
  /** Acked, and what is underway. */
  sent: number;
  batches: number;
  repeats: number;
}

describe(`the cluster of docs/deployment.md (FLEETFLAME_SEED=${SEED})`, () => {
  let cluster: Cluster;
  let workshop: Workshop;
  const startedMs = Date.now();
  const written = new Map<string, Written>();

  beforeAll(async () => {
    workshop = await Workshop.open();
    cluster = await Cluster.start({ seed: SEED });
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await workshop?.close();
  });

  it('has every role up, each with its own pages and nothing but its own RPCs', async () => {
    const services = {
      ingest: 'fleetflame.ingest.v1.IngestService/Write',
      query: 'fleetflame.query.v1.QueryService/ProfileTypes',
      symbolizer: 'fleetflame.symbols.v1.SymbolService/Status',
    };
    for (const process of cluster.processes) {
      expect(await process.get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
      expect(await process.get('/readyz')).toEqual({ status: 200, text: 'ready\n' });
      expect((await process.get('/metrics')).text).toContain('fleetflame_objects_requests_total');
      expect(JSON.parse((await process.get('/status')).text)).toMatchObject({
        role: process.role,
        ready: true,
      });
      expect((await process.get('/')).status).toBe(process.role === 'query' ? 200 : 404);
      for (const [role, rpc] of Object.entries(services)) {
        const answer = await fetch(`${process.url}/${rpc}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        });
        expect(answer.status === 404, `${rpc} at ${process.role}`).toBe(process.role !== role);
      }
    }
  });

  it('answers from every query what was written through every ingest', async () => {
    const [first, second] = cluster.role('ingest');
    await Promise.all([write(first, 'both', 'a', 1, 100), write(second, 'both', 'b', 1, 23)]);
    // The same batch again, at the other door.
    expect(await write(second, 'both', 'a', 1, 100)).toBe(true);
    for (const query of cluster.role('query')) expect(await total(query, 'both')).toBe(123);
  });

  it('loses and doubles nothing while S3 fails now and then and every process is restarted under load', async () => {
    cluster.s3.lateMs = 300;
    cluster.s3.inject(FAULTS, [...S3_FAULTS, 'bent']);
    let stop = false;
    const writers = Array.from({ length: WRITERS }, (_, i) => keepWriting(`writer${i}`, i, () => stop));
    const reader = keepReading(() => stop);
    for (const process of cluster.processes) {
      const before = acks();
      await until(
        'some acks',
        async () => acks(),
        (now) => now >= before + WRITERS,
      );
      expect(await process.stop(), process.log).toBe(0);
      await process.startAgain();
      await until(
        'it is ready',
        async () => (await process.get('/readyz')).status,
        (status) => status === 200,
      );
    }
    stop = true;
    await Promise.all(writers);
    expect([...cluster.s3.injected.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10);
    expect(await reader).toBeGreaterThan(0);

    for (const [service, { acked, sent }] of written) {
      expect(sent).toBe(acked);
      for (const query of cluster.role('query')) expect(await total(query, service), service).toBe(acked);
    }
  });

  it('keeps every sum when the compactor has merged the segments', async () => {
    const [compactor] = cluster.role('compactor');
    await until(
      'merged blocks',
      async () => {
        const status = JSON.parse((await compactor?.get('/status'))?.text ?? '{}');
        return (status.store.levels as { level: number; blocks: number }[]).map(({ level, blocks }) => [
          level,
          blocks,
        ]);
      },
      (levels) => levels.some(([level = 0]) => level > 0) && !levels.some(([level]) => level === 0),
    );
    cluster.s3.choose = () => undefined;
    expect(JSON.parse((await compactor?.get('/status'))?.text ?? '{}')).toMatchObject({
      store: { quarantined: 0 },
    });
    for (const [service, { acked }] of written) {
      for (const query of cluster.role('query')) expect(await total(query, service), service).toBe(acked);
    }
    // The thread that merges has its own connections; its requests are counted with the others.
    expect((await compactor?.get('/metrics'))?.text).toMatch(
      /fleetflame_objects_requests_total\{operation="get",outcome="ok"\} [1-9]/,
    );
  });

  it('keeps symbols in the bucket: a symbolizer that starts again knows what was uploaded', async () => {
    const [symbolizer] = cluster.role('symbolizer');
    if (symbolizer === undefined) throw new Error('there is no symbolizer');
    const path = await workshop.c('shares');
    const notes = await run('readelf', ['--notes', path]);
    const buildId = /Build ID: ([0-9a-f]+)/.exec(notes.stdout)?.[1] ?? '';
    const bytes = await readFile(path);
    const upload = {
      buildId,
      fileName: 'shares',
      totalBytes: BigInt(bytes.length),
      content: createHash('sha256').update(bytes).digest('hex'),
      uploader: 'ab'.repeat(8),
      quality: SymbolQuality.SYMTAB,
    };
    let offset = 0;
    const send = async (): Promise<boolean> => {
      const part = bytes.subarray(offset);
      const answer = await symbolizer.symbols.upload({ ...upload, offset: BigInt(offset), part });
      offset = Number(answer.nextOffset);
      return answer.complete;
    };
    await until('the binary is converted', send, (complete) => complete);
    const known = await symbolizer.symbols.status({ buildIds: [buildId] });
    expect(known.binaries[0]?.symbols).toBeGreaterThan(5n);
    expect(await symbolizer.stop()).toBe(0);
    await symbolizer.startAgain();
    const again = await symbolizer.symbols.status({ buildIds: [buildId] });
    expect(again.binaries).toEqual(known.binaries);

    // And every query names frames with them.
    const address = await run('nm', [path]);
    const start = /^([0-9a-f]+) [Tt] parse_request$/m.exec(address.stdout)?.[1] ?? '';
    const block = nativeBatch('named', buildId, Number.parseInt(start, 16) + 1, startedMs);
    await cluster.role('ingest')[0]?.ingest.write({ agentId: 'named', seq: 1n, block });
    for (const query of cluster.role('query')) {
      const { functions } = await query.query.top({ scope: scope('named'), limit: 5 });
      expect(functions[0]?.name).toBe('parse_request');
    }
  });

  it('runs up beside it, with a catalog of its own in a file, or as one more process of all roles', async () => {
    const objects = ['--objects-endpoint', cluster.rgw.endpoint, '--objects'];
    const { bucket } = await cluster.rgw.createBucket();
    const own = ['up', '--no-agent', '--data', join(workshop.directory, 'own'), ...objects, `s3://${bucket}`];
    const first = await ClusterProcess.start(own, cluster.environment);
    await write(first, 'own', 'own', 1, 5);
    const second = ClusterProcess.start(own, cluster.environment);
    await expect(second).rejects.toThrow(/in use by another Fleetflame .*stop it, or use another directory/);
    expect(await first.stop()).toBe(0);
    await first.startAgain();
    expect(await total(first, 'own')).toBe(5);
    expect(await first.stop()).toBe(0);

    const spool = join(workshop.directory, 'shared');
    const all = await ClusterProcess.start(
      ['up', '--no-agent', '--data', spool, ...cluster.shared],
      cluster.environment,
    );
    expect(await total(all, 'both')).toBe(123);
    await write(all, 'from up', 'up', 1, 7);
    for (const query of cluster.role('query')) expect(await total(query, 'from up')).toBe(7);
    expect(await all.stop()).toBe(0);
  });

  it('shows the settings in force without the secrets', async () => {
    const shown = await run(process.execPath, [
      ...(cluster.role('query')[0]?.command ?? []),
      '--print-config',
    ]);
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/drain: 100ms # .*cluster\.yaml:\d+/);
  });

  function acks(): number {
    return [...written.values()].reduce((sum, { batches }) => sum + batches, 0);
  }

  /** Like an agent behind a balancer: another ingest when one does not take it, the same batch until it is acked. */
  async function keepWriting(service: string, first: number, stopped: () => boolean): Promise<void> {
    const ingests = cluster.role('ingest');
    const state: Written = { acked: 0, sent: 0, batches: 0, repeats: 0 };
    written.set(service, state);
    for (let seq = 1, door = first; !stopped(); seq++) {
      const value = 1000 + seq;
      state.sent += value;
      for (;;) {
        try {
          await write(ingests[door % ingests.length], service, service, seq, value);
          break;
        } catch (error) {
          throwUnlessPassing(error);
          state.repeats++;
          door++;
        }
      }
      state.acked += value;
      state.batches++;
    }
  }

  /** Every answer holds at least what was acked before it was asked for, and nothing twice. */
  async function keepReading(stopped: () => boolean): Promise<number> {
    let answers = 0;
    while (!stopped()) {
      for (const query of cluster.role('query')) {
        for (const [service, state] of written) {
          const { acked } = state;
          try {
            const sum = await total(query, service);
            expect(sum, service).toBeGreaterThanOrEqual(acked);
            expect(sum, service).toBeLessThanOrEqual(state.sent);
            answers++;
          } catch (error) {
            throwUnlessPassing(error);
          }
        }
      }
    }
    return answers;
  }

  function scope(service: string) {
    return {
      fromMs: BigInt(startedMs - 7_200_000),
      toMs: BigInt(Date.now() + 1000),
      selector: `{service_name="${service}"}`,
      profileType: CPU,
    };
  }

  async function total(query: ClusterProcess, service: string): Promise<number> {
    const answer = await query.query.top({ scope: scope(service), limit: 1 });
    expect(answer.coverage?.missing).toEqual([]);
    return Number(answer.total);
  }

  /** True: it had been acked before. */
  async function write(
    ingest: ClusterProcess | undefined,
    service: string,
    agentId: string,
    seq: number,
    value: number,
  ): Promise<boolean> {
    if (ingest === undefined) throw new Error('there is no such ingest');
    const block = batch(service, seq, value, startedMs - 3_600_000);
    return (await ingest.ingest.write({ agentId, seq: BigInt(seq), block })).duplicate;
  }
});

describe('a role without a store that can be shared', () => {
  it('says what to set, and that a directory belongs to up', async () => {
    const { code, stderr } = await runCli('ingest', '--listen', '127.0.0.1:0');
    expect(code).toBe(78);
    expect(stderr).toMatch(
      /set objects\.url \(--objects\).* and catalog\.url \(--catalog\).*\.\/fleetflame up/,
    );
  });
});

/** A process that is being restarted is unavailable, or hangs up; anything else is a mistake. */
function throwUnlessPassing(error: unknown): void {
  const passing = [Code.Unavailable, Code.Aborted, Code.Canceled];
  if (!(error instanceof ConnectError) || !passing.includes(error.code)) throw error;
}

/** A block with one sample of `value`, old enough to be merged at once. */
function batch(service: string, seq: number, value: number, timeMs: number): Uint8Array {
  const builder = new BlockBuilder();
  const name = builder.string(`handler_${seq % 7}`);
  const fn = builder.function(name, name, builder.string('main.c'), 1);
  const stack = builder.stack(0, builder.location(0, 0, 0, [fn, 1]));
  builder.add(builder.series(CPU, 1, { service_name: service }), stack, timeMs, value);
  return encodeBlock(builder.build());
}

/** A block with one sample at an address of a binary that only the symbolizer can name. */
function nativeBatch(service: string, buildId: string, address: number, timeMs: number): Uint8Array {
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string('/usr/bin/shares'), builder.string(buildId), 'native');
  const stack = builder.stack(0, builder.location(mapping, address, 0, []));
  builder.add(builder.series(CPU, 1, { service_name: service }), stack, timeMs, 1);
  return encodeBlock(builder.build());
}

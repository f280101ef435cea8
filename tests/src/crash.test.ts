import { readdir, readFile } from 'node:fs/promises';
import { scaled } from '@fleetflame/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlockBuilder, encodeBlock } from '@fleetflame/profile';
import { childOf, isRunning } from './support/process-tree.ts';
import { Product, until } from './support/product.ts';
import { Workload, Workshop } from './support/workloads.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
/** How often the whole product is killed and started again. */
const KILLS = scaled(4, 50);
const WRITERS = 8;

describe('kill -9 of up under load', () => {
  let workshop: Workshop;
  let dataDir: string;
  let product: Product;
  let load: Workload;
  /** Sum that was acked per writer, and batches that were sent without an answer. */
  const acked = new Map<string, number>();
  const unanswered = new Map<string, { seq: number; value: number }>();
  const startedMs = Date.now();
  /** From each kill until the next agent had closed a window. */
  const outages: { readonly fromMs: number; readonly toMs: number }[] = [];

  beforeAll(async () => {
    workshop = await Workshop.open();
    product = await Product.start({ args: ['--window', '2s', '--frequency', '49'] });
    dataDir = product.dataDir;
    load = new Workload('crash-load', await workshop.c('shares'), [String(scaled(240, 3600))]);
    await until('the load in the profile', seenLoad, (seen) => seen > 0);
    const seqs = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const stopAt = Date.now() + 2500 + (kill % 4) * 400;
      const writing = Array.from({ length: WRITERS }, (_, i) => write(`writer${i}`, seqs, stopAt + 1500));
      await new Promise((resolve) => setTimeout(resolve, stopAt - Date.now()));
      const fromMs = Date.now();
      await product.kill();
      await Promise.all(writing);
      product = await Product.start({ dataDir, args: ['--window', '2s', '--frequency', '49'] });
      await until(
        'a window of the next agent',
        () => product.agentStats(),
        (stats) => (stats?.windows ?? 0) > 0,
      );
      outages.push({ fromMs, toMs: Date.now() });
    }
    // What got no answer is sent again under the same identity, as an agent does.
    for (const [agentId, { seq, value }] of unanswered) {
      await product.ingest.write({ agentId, seq: BigInt(seq), block: batch(agentId, seq, value) });
      acked.set(agentId, (acked.get(agentId) ?? 0) + value);
    }
  }, scaled(240_000));

  afterAll(async () => {
    await load?.stop();
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  it('keeps every acked batch, once', async () => {
    expect(acked.size).toBe(WRITERS);
    for (const [writer, sum] of acked) {
      const answer = await product.query.top({ scope: scope(`{service_name="${writer}"}`), limit: 1 });
      expect(Number(answer.total), writer).toBe(sum);
      expect(answer.coverage?.missing).toEqual([]);
    }
  });

  it("delivers the agent's spool: no second of the load is missing but those without an agent", async () => {
    const now = Date.now();
    await until('windows after the last start', seenLoadSince(now), (seen) => seen > 0);
    const answer = await product.query.series({
      scope: scope('{service_name="crash-load"}'),
      stepMs: 1000n,
    });
    const values = answer.groups[0]?.values.map(Number) ?? [];
    const times = answer.timesMs.map(Number);
    const first = values.findIndex((value) => value > 0);
    const last = values.findLastIndex((value) => value > 0);
    // The agent of a killed parent ends too; until the next one samples there is nothing. A lost window lies before the kill.
    const wasOut = (ms: number): boolean =>
      outages.some(({ fromMs, toMs }) => ms + 1000 > fromMs && ms < toMs);
    const empty = times.filter((ms, i) => i > first && i < last && values[i] === 0 && !wasOut(ms));
    expect(empty, JSON.stringify({ values, outages })).toEqual([]);
    const covered = times.filter((ms, i) => (values[i] ?? 0) > 0 && !wasOut(ms)).length;
    expect(covered).toBeGreaterThan(KILLS);
  });

  /** Sends batches one after another until `stopAtMs` or until the server is gone. */
  async function write(agentId: string, seqs: Map<string, number>, stopAtMs: number): Promise<void> {
    while (Date.now() < stopAtMs) {
      const again = unanswered.get(agentId);
      const seq = again?.seq ?? (seqs.get(agentId) ?? 0) + 1;
      const value = again?.value ?? 1000 + seq;
      seqs.set(agentId, seq);
      unanswered.set(agentId, { seq, value });
      try {
        await product.ingest.write({ agentId, seq: BigInt(seq), block: batch(agentId, seq, value) });
      } catch {
        return;
      }
      unanswered.delete(agentId);
      acked.set(agentId, (acked.get(agentId) ?? 0) + value);
    }
  }

  function scope(selector: string) {
    return {
      fromMs: BigInt(startedMs - 60_000),
      toMs: BigInt(Date.now() + 1000),
      selector,
      profileType: CPU,
    };
  }

  async function seenLoad(): Promise<number> {
    const answer = await product.query.top({ scope: scope('{service_name="crash-load"}'), limit: 1 });
    return Number(answer.total);
  }

  function seenLoadSince(fromMs: number): () => Promise<number> {
    return async () => {
      const since = { ...scope('{service_name="crash-load"}'), fromMs: BigInt(fromMs) };
      return Number((await product.query.top({ scope: since, limit: 1 })).total);
    };
  }
});

describe('kill -9 of up while its agent starts', () => {
  it('leaves no agent behind', async () => {
    const product = await Product.start();
    const started = ['agent', 'up-server'].flatMap((word) => childOf(product.pid, word) ?? []);
    expect(started).toHaveLength(process.getuid?.() === 0 ? 2 : 1);
    await product.kill();
    await until(
      'its children to end',
      () => Promise.resolve(started.filter(isRunning)),
      (left) => left.length === 0,
    );
    const agents = async (): Promise<readonly string[]> => {
      const commands = await Promise.all(
        (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map((pid) => commandLine(pid)),
      );
      return commands.filter((command) => command.includes(product.dataDir));
    };
    expect(await until('the agent to end', agents, (left) => left.length === 0)).toEqual([]);
    await product.remove();
  });
});

/** The arguments of a process, or "" when it is gone. */
async function commandLine(pid: string): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
}

/** A block with one sample of `value`. */
function batch(service: string, seq: number, value: number): Uint8Array {
  const builder = new BlockBuilder();
  const name = builder.string(`handler_${seq % 7}`);
  const fn = builder.function(name, name, builder.string('main.c'), 1);
  const stack = builder.stack(0, builder.location(0, 0, 0, [fn, 1]));
  builder.add(builder.series(CPU, 1, { service_name: service }), stack, Date.now(), value);
  return encodeBlock(builder.build());
}

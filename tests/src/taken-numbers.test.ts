/** I2: a stranger who knows an agent's id and uses its next numbers costs it nothing: every window is stored, once. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Product, until } from './support/product.ts';

const PERIOD_NS = Math.round(1e9 / 19);
const STOLEN = 5;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

interface Stats {
  readonly samples: number;
  readonly windows: number;
  readonly spool: { readonly batches: number; readonly written: number; readonly refused: number };
  readonly send: { readonly sent: number; readonly duplicates: number; readonly renumbered: number };
}

let product: Product;
const startedMs = Date.now();

beforeAll(async () => {
  product = await Product.start({ args: ['--window', '2s'] });
});

afterAll(async () => {
  await product?.stop();
  await product?.remove();
});

it('stores every window of the host once, under a fresh id where its own is taken', async () => {
  await until('the first windows', stats, (found) => found !== undefined && found.send.sent >= 2);
  const agentId = committed().at(-1) ?? '';
  expect(agentId).not.toBe('');
  const { spool } = (await stats())!;
  const answers = [];
  for (let seq = spool.written; seq < spool.written + STOLEN; seq++) {
    const write = product.ingest.write({ agentId, seq: BigInt(seq), block: stranger(seq) });
    answers.push(await write.then(({ duplicate }) => !duplicate).catch(() => false));
  }
  // The agent may have been faster with the first.
  expect(answers.slice(1)).toEqual(Array.from({ length: STOLEN - 1 }, () => true));
  await until(
    'more windows than were taken',
    stats,
    (found) => found !== undefined && found.send.sent > spool.written + STOLEN + 2,
  );
  const found = (await stats())!;
  expect(found.send).toMatchObject({ duplicates: 0 });
  expect(found.send.renumbered).toBeGreaterThanOrEqual(1);
  expect(found.spool.refused).toBe(0);
  expect(new Set(committed()).size).toBeGreaterThan(1);
  // What is stored is what was sampled, to the last sample, at a moment when nothing is on its way.
  await until('the sums are equal', difference, (nanoseconds) => nanoseconds === 0);
  const text = (await product.get('/metrics')).text;
  expect(text).toMatch(/^fleetflame_ingest_refused_total\{reason="conflict"\} [1-9]/m);
  expect(text).toMatch(/^fleetflame_agent_batches_renumbered_total [1-9]/m);
});

function stranger(seq: number): ReturnType<typeof encodeBlock> {
  const labels = { service_name: 'stranger' };
  return encodeBlock(blockFromText(`main ${seq + 1}`, { timeMs: Date.now() - 1000, labels }));
}

async function stats(): Promise<Stats | undefined> {
  const status = JSON.parse((await product.get('/status')).text) as { agent?: { stats?: Stats } };
  return status.agent?.stats;
}

/** Ids in the catalog in the order in which they committed, of batches of agents. */
function committed(): string[] {
  using catalog = new DatabaseSync(join(product.dataDir, 'catalog.db'), { readOnly: true });
  const rows = catalog.prepare('select agent_id from batches order by committed_ms, seq').all();
  return rows.map((row) => String(row['agent_id']));
}

/** Undefined: something happened meanwhile. */
async function difference(): Promise<number | undefined> {
  const before = await stats();
  const answer = await product.query.top({
    scope: {
      fromMs: BigInt(startedMs - 60_000),
      toMs: BigInt(Date.now() + 60_000),
      selector: '{service_name!="stranger"}',
      profileType: CPU,
    },
    limit: 1,
  });
  const after = await stats();
  if (before === undefined || after === undefined || before.samples !== after.samples) return undefined;
  if (before.spool.batches > 0 || before.send.sent !== after.send.sent) return undefined;
  return Number(answer.total) - before.samples * PERIOD_NS;
}

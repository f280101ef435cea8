import { FleetflameError } from '@fleetflame/profile';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { IngestMetrics } from './ingest-metrics.ts';
import type { TenantLimits } from './limits.ts';
import { MAX_SENDERS, TenantBudget } from './tenant-budget.ts';

function budgetOf(limits: Partial<TenantLimits>): TenantBudget {
  const metrics = new IngestMetrics(new Registry(), () => ({ batches: 0, bytes: 0, series: 0, workers: 1 }));
  const all = { bytesPerSecond: 1000, activeSeries: 10, seriesIdleMs: 60_000, ...limits };
  return new TenantBudget('acme', all, metrics, 0);
}

/** The series first, first + 1, ... */
function seriesOf(first: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => first + i);
}

const from = (name: string, address = ''): { name: string; address: string } => ({ name, address });

const refusal = (run: () => void): FleetflameError | undefined => {
  try {
    run();
  } catch (error) {
    if (error instanceof FleetflameError) return error;
    throw error;
  }
  return undefined;
};

test('a tenant may send its rate, ten seconds of it at once, and is told when to come back', () => {
  const budget = budgetOf({});
  for (let i = 0; i < 10; i++) budget.spend(from('a'), 1000, 0);
  const refused = refusal(() => budget.spend(from('a'), 1000, 0));
  expect(refused?.code).toBe('overloaded');
  expect(refused?.message).toMatch(/Tenant acme .* 1000 bytes a second .* again in 1 s/);
  budget.spend(from('a'), 1000, 1000);
  expect(refusal(() => budget.spend(from('a'), 1000, 1000))?.code).toBe('overloaded');
  // Over any longer time it gets what it may have, no more: 10 s ahead and 100 s of rate.
  let bytes = 0;
  for (let nowMs = 2000; nowMs <= 101_000; nowMs += 100) {
    if (refusal(() => budget.spend(from('a'), 500, nowMs)) === undefined) bytes += 500;
  }
  expect(bytes).toBeGreaterThanOrEqual(99_000);
  expect(bytes).toBeLessThanOrEqual(101_000);
});

test('a batch larger than the bucket goes through when the bucket is full, and leaves a debt', () => {
  const budget = budgetOf({});
  budget.spend(from('a'), 50_000, 0);
  expect(refusal(() => budget.spend(from('a'), 1, 39_000))?.message).toMatch(/again in 2 s/);
  budget.spend(from('a'), 1, 40_100);
});

test('a clock that is set back neither adds nor blocks', () => {
  const budget = budgetOf({});
  budget.spend(from('a'), 10_000, 60_000);
  expect(refusal(() => budget.spend(from('a'), 1, 0))?.code).toBe('overloaded');
  budget.spend(from('a'), 1, 1000);
});

test('series count once while they are sent, and no longer when they are not', () => {
  const budget = budgetOf({});
  budget.note(from('a'), seriesOf(0, 10), 0);
  budget.note(from('a'), seriesOf(0, 10), 1000);
  expect(budget.activeSeries).toBe(10);
  const refused = refusal(() => budget.note(from('a'), seriesOf(9, 2), 2000));
  expect(refused).toMatchObject({ code: 'not_now', field: 'series' });
  expect(refused?.message).toMatch(/has 10 active series and the batch brings 1 more, the limit is 10/);
  expect(budget.activeSeries).toBe(10);
  // One that is sent every half idle time stays, the others go after one to one and a half of it.
  for (let nowMs = 30_000; nowMs <= 120_000; nowMs += 30_000) budget.note(from('a'), seriesOf(3, 1), nowMs);
  expect(budget.activeSeries).toBe(1);
  budget.note(from('a'), seriesOf(20, 9), 121_000);
  expect(budget.activeSeries).toBe(10);
  budget.note(from('a'), seriesOf(40, 10), 500_000);
  expect(budget.activeSeries).toBe(10);
});

test('one sender that uses up everything takes nothing from the shares of others', () => {
  const budget = budgetOf({ activeSeries: 100 });
  for (let i = 0; i < 40; i++) budget.note(from('greedy'), seriesOf(i * 2, 2), 0);
  for (let i = 0; i < 10; i++) refusal(() => budget.note(from('greedy'), seriesOf(1000 + i * 10, 10), 0));
  expect(budget.activeSeries).toBe(100);
  expect(refusal(() => budget.note(from('greedy'), seriesOf(5000, 1), 0))?.code).toBe('not_now');
  // Two senders: fifty each.
  for (let i = 0; i < 5; i++) budget.note(from('modest'), seriesOf(2000 + i * 10, 10), 0);
  expect(refusal(() => budget.note(from('modest'), seriesOf(3000, 1), 0))?.code).toBe('not_now');
  // What is active already may be sent by anybody.
  budget.note(from('third'), seriesOf(2000, 10), 0);

  for (let i = 0; i < 30; i++) refusal(() => budget.spend(from('greedy'), 1000, 0));
  expect(refusal(() => budget.spend(from('greedy'), 1, 0))?.code).toBe('overloaded');
  for (let nowMs = 1000; nowMs <= 100_000; nowMs += 1000) {
    for (let i = 0; i < 10; i++) refusal(() => budget.spend(from('greedy'), 1000, nowMs));
    budget.spend(from('modest'), 200, nowMs);
  }
});

test('senders that are gone have no share any more, and any number of names cannot fill the memory', () => {
  const budget = budgetOf({ activeSeries: 100 });
  for (let i = 0; i < 10; i++) budget.note(from(`old-${i}`), seriesOf(i * 10, 10), 0);
  expect(refusal(() => budget.note(from('new'), seriesOf(500, 30), 1000))?.message).toMatch(/share is 9:/);
  budget.note(from('new'), seriesOf(500, 5), 200_000);
  budget.note(from('new'), seriesOf(500, 5), 231_000);
  budget.note(from('new'), seriesOf(500, 90), 231_000);
  expect(refusal(() => budget.note(from('new'), seriesOf(900, 11), 231_000))?.message).toMatch(
    /share is 100:/,
  );
  for (let i = 0; i < MAX_SENDERS + 10; i++) refusal(() => budget.spend(from(`name-${i}`), 1, 231_000));
  expect(refusal(() => budget.note(from('x'), seriesOf(900, 11), 231_000))?.message).toMatch(/share is 0:/);
});

test('an address with any number of names takes no share of other addresses', () => {
  const budget = budgetOf({ activeSeries: 100 });
  for (let i = 0; i < 200; i++) {
    refusal(() => budget.note(from(`name-${i}`, '192.0.2.1'), seriesOf(i, 1), 0));
    refusal(() => budget.spend(from(`name-${i}`, '192.0.2.1'), 1000, 0));
  }
  expect(refusal(() => budget.note(from('more', '192.0.2.1'), seriesOf(900, 1), 0))?.code).toBe('not_now');
  const own = from('own', '192.0.2.2');
  budget.note(own, seriesOf(1000, 50), 0);
  expect(refusal(() => budget.note(own, seriesOf(2000, 1), 0))?.code).toBe('not_now');
  expect(refusal(() => budget.spend(own, 400, 0))?.code).toBe('overloaded');
  for (let nowMs = 1000; nowMs < 20_000; nowMs += 1000) {
    for (let i = 0; i < 9; i++)
      refusal(() => budget.spend(from(`new-${i}-${nowMs}`, '192.0.2.1'), 1000, nowMs));
    budget.spend(own, 400, nowMs);
    expect(refusal(() => budget.spend(from(`more-${nowMs}`, '192.0.2.1'), 1000, nowMs))?.code).toBe(
      'overloaded',
    );
  }
});

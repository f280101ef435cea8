import { setImmediate } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Admission } from './admission.ts';
import { Breather } from './breather.ts';
import { QUERY_LIMITS } from './limits.ts';
import { QueryMetrics } from './query-metrics.ts';

function admission(running: number, waiting: number, runMs = QUERY_LIMITS.runMs): Admission {
  return new Admission({ ...QUERY_LIMITS, running, waiting, runMs }, new QueryMetrics(new Registry()));
}

const { signal } = new AbortController();

test('work runs in order, so many at once', async () => {
  const gate = admission(2, 10);
  const events: string[] = [];
  const releases: (() => void)[] = [];
  const job = async (name: string): Promise<void> =>
    gate.run(signal, async () => {
      events.push(name);
      await new Promise<void>((resolve) => releases.push(resolve));
    });
  const jobs = ['a', 'b', 'c', 'd'].map(job);
  await expect.poll(() => events).toEqual(['a', 'b']);
  releases[0]?.();
  await expect.poll(() => events).toEqual(['a', 'b', 'c']);
  releases[1]?.();
  await expect.poll(() => events).toEqual(['a', 'b', 'c', 'd']);
  for (const release of releases) release();
  await Promise.all(jobs);
});

test('a caller who leaves while waiting gives up the place, and its work never runs', async () => {
  const gate = admission(1, 1);
  const caller = new AbortController();
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const running = gate.run(signal, async () => promise);
  const left = gate.run(caller.signal, async () => Promise.reject(new Error('it ran')));
  caller.abort();
  await expect(left).rejects.toMatchObject({ code: 'cancelled' });
  const next = gate.run(signal, async () => Promise.resolve('next'));
  await expect(gate.run(signal, async () => Promise.resolve())).rejects.toMatchObject({ code: 'overloaded' });
  release();
  await running;
  expect(await next).toBe('next');
});

test('closing waits for what runs and refuses what waits', async () => {
  const gate = admission(1, 1);
  const { promise, resolve: release } = Promise.withResolvers<string>();
  const running = gate.run(signal, async () => promise);
  const waiting = gate.run(signal, async () => Promise.resolve());
  const closed = gate.close();
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  release('done');
  expect(await running).toBe('done');
  await closed;
  await expect(gate.run(signal, async () => Promise.resolve())).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('work that runs for too long is told so, and so is its caller', async () => {
  const gate = admission(1, 1, 1);
  const work = gate.run(signal, async (own) => {
    const breather = new Breather(own);
    for (;;) {
      await setImmediate();
      await breather.breathe();
    }
  });
  await expect(work).rejects.toMatchObject({
    code: 'limit_exceeded',
    message: expect.stringContaining('time range'),
  });
  expect(await gate.run(signal, async () => Promise.resolve('next'))).toBe('next');
});

import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readAhead } from './read-ahead.ts';

test('results come in order, with no more in flight than asked for', async () => {
  let inFlight = 0;
  let most = 0;
  const read = async (item: number): Promise<number> => {
    inFlight++;
    most = Math.max(most, inFlight);
    // The earlier ones take longer.
    for (let i = 0; i < 10 - item; i++) await setImmediate();
    inFlight--;
    return item;
  };
  const results: number[] = [];
  for await (const result of readAhead([0, 1, 2, 3, 4, 5, 6, 7], 3, read)) results.push(result);
  expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(most).toBe(3);
});

test('an error ends it after what is in flight has settled', async () => {
  let settled = 0;
  const read = async (item: number): Promise<number> => {
    if (item === 1) throw new Error('broken');
    await setImmediate();
    settled++;
    return item;
  };
  const all = async (): Promise<number[]> => {
    const results: number[] = [];
    for await (const result of readAhead([0, 1, 2, 3, 4], 3, read)) results.push(result);
    return results;
  };
  await expect(all()).rejects.toThrow('broken');
  expect(settled).toBe(3);
});

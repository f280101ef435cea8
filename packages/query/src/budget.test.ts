import { expect, test } from 'vitest';
import { Budget } from './budget.ts';

test('so much at once, in the order of asking; what is larger than all goes alone', async () => {
  let held = 0;
  let delayed = 0;
  const budget = new Budget(100, {
    held: (amount) => {
      held = amount;
    },
    delayed: () => {
      delayed++;
    },
  });
  const log: string[] = [];
  const take = async (name: string, amount: number): Promise<() => void> => {
    const giveBack = await budget.take(amount);
    log.push(name);
    return giveBack;
  };
  const a = await take('a', 60);
  const b = await take('b', 40);
  const c = take('c', 500);
  // Would fit, but came later.
  const d = take('d', 1);
  a();
  await Promise.resolve();
  expect([log, held]).toEqual([['a', 'b'], 40]);
  b();
  const largest = await c;
  expect([log, held]).toEqual([['a', 'b', 'c'], 500]);
  largest();
  (await d)();
  expect([log, held, delayed]).toEqual([['a', 'b', 'c', 'd'], 0, 2]);
});

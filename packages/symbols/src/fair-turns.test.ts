import { expect, test } from 'vitest';
import { FairTurns } from './fair-turns.ts';

test('senders have their turn one after the other, however much one of them brings', async () => {
  const turns = new FairTurns();
  const done: string[] = [];
  let running = 0;
  const bring = (sender: string, name: string): Promise<void> =>
    turns.run(sender, async () => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      done.push(name);
    });
  const all = ['a1', 'a2', 'a3', 'a4'].map((name) => bring('a', name));
  all.push(bring('b', 'b1'), bring('c', 'c1'), bring('b', 'b2'));
  await Promise.all(all);
  expect(done).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('work that fails is told to who brought it, and the next goes on', async () => {
  const turns = new FairTurns();
  const failed = turns.run('a', () => Promise.reject(new Error('no')));
  const next = turns.run('a', () => Promise.resolve(7));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe(7);
  await turns.settled();
  expect(await turns.run('b', () => Promise.resolve(8))).toBe(8);
});

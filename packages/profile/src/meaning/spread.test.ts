import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { partBetween } from './spread.ts';

test('parts that touch add up to the value, wherever it is cut', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      fc.integer({ min: 1, max: 900_000 }),
      fc.array(fc.integer({ min: -1000, max: 901_000 }), { maxLength: 8 }),
      (value, durationMs, cuts) => {
        const edges = [-2000, ...cuts.toSorted((a, b) => a - b), 902_000];
        let sum = 0n;
        for (let i = 1; i < edges.length; i++) {
          const part = partBetween(value, edges[i - 1] ?? 0, edges[i] ?? 0, durationMs);
          expect(part).toBeGreaterThanOrEqual(0);
          sum += BigInt(part);
        }
        expect(sum).toBe(BigInt(value));
      },
    ),
  );
});

test('half of the time has half of the value, and a moment lies at its beginning', () => {
  expect(partBetween(6e9, 30_000, 60_000, 60_000)).toBe(3e9);
  expect([partBetween(7, -5, 0, 0), partBetween(7, 0, 1, 0), partBetween(7, 1, 5, 0)]).toEqual([0, 7, 0]);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutPieces } from './cut-pieces.ts';

const NINE = Date.UTC(2026, 10, 22, 9);
const MINUTE = 60_000;

test('a quarter day that is cut at 9:41:20 is a rest and pieces up to the minute, ten minutes, hour', () => {
  const entry = { timeMinMs: NINE - 180 * MINUTE, timeMaxMs: NINE + 180 * MINUTE - 1 };
  const fromMs = NINE + 41 * MINUTE + 20_000;
  const { kept, rest } = cutPieces(entry, { fromMs, toMs: NINE + 1000 * MINUTE });
  const minutes = (timeMs: number): number => (timeMs - NINE) / MINUTE;
  expect(kept.map((piece) => [minutes(piece.fromMs), minutes(piece.toMs)])).toEqual([
    [42, 50],
    [50, 60],
    [60, 180],
  ]);
  expect([rest.fromMs, minutes(rest.toMs)]).toEqual([fromMs, 42]);
});

test('pieces and rest of any block and range are the part of the block in the range, once', () => {
  const time = fc.integer({ min: 0, max: 30 * 3_600_000 });
  fc.assert(
    fc.property(time, time, time, time, (a, b, c, d) => {
      const entry = { timeMinMs: Math.min(a, b), timeMaxMs: Math.max(a, b) };
      const range = { fromMs: Math.min(c, d), toMs: Math.max(c, d) + 1 };
      const { kept, rest } = cutPieces(entry, range);
      let atMs = range.fromMs;
      for (const piece of [rest, ...kept]) {
        expect(piece.fromMs).toBe(atMs);
        expect(piece.toMs).toBeGreaterThanOrEqual(piece.fromMs);
        atMs = piece.toMs;
      }
      const endMs = Math.min(entry.timeMaxMs + 1, range.toMs);
      // Before the end of the block nothing is left out; beyond it there is nothing to count.
      expect(atMs).toBeGreaterThanOrEqual(Math.min(endMs, Math.max(range.fromMs, endMs)));
      expect(atMs).toBeLessThanOrEqual(Math.max(range.toMs, range.fromMs));
      for (const { fromMs, toMs } of kept) expect(toMs).toBeGreaterThan(fromMs);
    }),
  );
});

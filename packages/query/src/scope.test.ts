import { describe, expect, test } from 'vitest';
import { Registry } from 'prom-client';
import { QUERY_LIMITS } from './limits.ts';
import { QueryMetrics } from './query-metrics.ts';
import { LimitCheck } from './scope.ts';

describe('the range of a question', () => {
  const check = new LimitCheck(QUERY_LIMITS, new QueryMetrics(new Registry()));

  test('is the last hour where neither end is given', () => {
    const before = Date.now();
    const { fromMs, toMs } = check.range(0n, 0n, '');
    expect(toMs).toBeGreaterThanOrEqual(before);
    expect(toMs).toBeLessThanOrEqual(Date.now());
    expect(toMs - fromMs).toBe(3_600_000);
  });

  test('ends now where only the start is given, and starts an hour before the end where only that is', () => {
    const fromMs = Date.now() - 5000;
    expect(check.range(BigInt(fromMs), 0n, '').fromMs).toBe(fromMs);
    expect(check.range(0n, 7_200_000n, '')).toEqual({ fromMs: 3_600_000, toMs: 7_200_000 });
  });
});

/** The simulations of false alarms: pairs in which nothing changed, and how often p falls below its level. */
import { scaled } from '@fleetflame/testing';
import { expect, test } from 'vitest';
import { Random } from '../testing/random.ts';
import { testRatios, type RatioSide } from './ratio-test.ts';

interface Fleet {
  readonly hosts: number;
  /** Samples of the function on all hosts of a side, and of all functions. */
  readonly samples: number;
  readonly all: number;
  /** Coefficients of variation over hosts: of their load, of the function's share in it. */
  readonly loadCv: number;
  readonly shareCv: number;
  /** Samples come in bursts of so many. */
  readonly burst?: number;
  /** Denominator: the window, or all samples. */
  readonly per: 'time' | 'total';
}

function sum(of: Float64Array): number {
  return of.reduce((all, value) => all + value, 0);
}

function plain({ value, denominator, sampleValue }: RatioSide): RatioSide {
  return { value, denominator, sampleValue };
}

function sideOf(random: Random, fleet: Fleet): RatioSide {
  const { hosts, burst = 1 } = fleet;
  const values = new Float64Array(hosts);
  const denominators = new Float64Array(hosts);
  for (let host = 0; host < hosts; host++) {
    const load = random.gamma(fleet.loadCv);
    values[host] =
      burst * random.poisson((fleet.samples / hosts / burst) * load * random.gamma(fleet.shareCv));
    const others = random.poisson(((fleet.all - fleet.samples) / hosts) * load);
    denominators[host] = fleet.per === 'time' ? 1 : others + values[host]!;
  }
  return {
    value: sum(values),
    denominator: sum(denominators),
    sampleValue: 1,
    units: { values, denominators },
  };
}

function falseAlarms(fleet: Fleet, runs: number, withUnits = true): number {
  const random = new Random(20_261_201);
  let alarms = 0;
  for (let run = 0; run < runs; run++) {
    const [a, b] = [sideOf(random, fleet), sideOf(random, fleet)];
    if (testRatios(withUnits ? a : plain(a), withUnits ? b : plain(b), false).p < 0.05) alarms++;
  }
  return alarms / runs;
}

const PURE = { hosts: 50, samples: 300, all: 3000, loadCv: 0, shareCv: 0, per: 'time' } as const;
const RUNS = scaled(1500, 20_000);

test.each<readonly [string, Fleet]>([
  ['pure sampling, 10 samples a side', { ...PURE, samples: 10 }],
  ['pure sampling, 1,000 samples a side', { ...PURE, samples: 1000 }],
  ['load that varies, cores', { ...PURE, samples: 1000, loadCv: 0.5 }],
  [
    'load and share that vary, shares',
    { ...PURE, samples: 1000, all: 5000, loadCv: 0.5, shareCv: 0.3, per: 'total' },
  ],
  ['bursts of 8', { ...PURE, samples: 1000, burst: 8 }],
  ['5 hosts', { ...PURE, hosts: 5, samples: 1000, all: 5000, shareCv: 0.3, per: 'total' }],
  ['3 hosts', { ...PURE, hosts: 3, samples: 1000, all: 5000, shareCv: 0.3, per: 'total' }],
])('with hosts, at most the stated share are false alarms: %s', (_, fleet) => {
  // 5 %, and three standard errors of what was counted; 5 hosts are known to reach 6.1 %.
  const most = (fleet.hosts < 10 ? 0.063 : 0.053) + 3 * Math.sqrt((0.05 * 0.95) / RUNS);
  expect(falseAlarms(fleet, RUNS)).toBeLessThanOrEqual(most);
});

test('sampling alone is right where nothing but sampling varies, and says far too much where hosts do', () => {
  expect(falseAlarms(PURE, RUNS, false)).toBeLessThan(0.055 + 3 * Math.sqrt((0.05 * 0.95) / RUNS));
  expect(falseAlarms({ ...PURE, samples: 1000, loadCv: 0.5 }, RUNS, false)).toBeGreaterThan(0.3);
});

test('with denominators that differ tenfold nothing is found where nothing is', () => {
  const random = new Random(7);
  let alarms = 0;
  for (let run = 0; run < RUNS; run++) {
    const a = { value: random.poisson(6), denominator: 1, sampleValue: 1 };
    const b = { value: random.poisson(60), denominator: 10, sampleValue: 1 };
    if (testRatios(a, b, false).p < 0.05) alarms++;
  }
  expect(alarms / RUNS).toBeLessThan(0.06 + 3 * Math.sqrt((0.05 * 0.95) / RUNS));
});

test('what hosts always do is no difference: pairs find 20 % that the unpaired test does not', () => {
  const random = new Random(3);
  const runs = scaled(300, 3000);
  let found = 0;
  let unpaired = 0;
  let alarms = 0;
  for (let run = 0; run < runs; run++) {
    const shares = Array.from({ length: 32 }, () => random.gamma(0.5));
    const side = (factor: number): RatioSide => {
      const values = Float64Array.from(shares, (share) => random.poisson(100 * share * factor));
      const value = values.reduce((all, one) => all + one, 0);
      return {
        value,
        denominator: 32,
        sampleValue: 1,
        units: { values, denominators: new Float64Array(32).fill(1) },
      };
    };
    const [base, same, more] = [side(1), side(1), side(1.2)];
    if (testRatios(base, more, true).p < 0.01) found++;
    if (testRatios(base, more, false).p < 0.01) unpaired++;
    if (testRatios(base, same, true).p < 0.05) alarms++;
  }
  expect(found / runs).toBeGreaterThan(0.95);
  expect(unpaired / runs).toBeLessThan(0.5);
  expect(alarms / runs).toBeLessThan(0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs));
});

test('a sample of another weight weighs as much in the error', () => {
  const heavy = testRatios(
    { value: 100_000, denominator: 1, sampleValue: 100 },
    { value: 110_000, denominator: 1, sampleValue: 100 },
    false,
  );
  const light = testRatios(
    { value: 1000, denominator: 1, sampleValue: 1 },
    { value: 1100, denominator: 1, sampleValue: 1 },
    false,
  );
  expect(heavy.p).toBeCloseTo(light.p, 12);
  expect(heavy.difference).toBe(10_000);
});

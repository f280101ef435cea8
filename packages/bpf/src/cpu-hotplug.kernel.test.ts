import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, expect, it } from 'vitest';

import { Sampler } from './sampler.ts';

const SWITCH = '/sys/devices/system/cpu/cpu1/online';

afterAll(() => {
  if (existsSync(SWITCH)) writeFileSync(SWITCH, '1');
});

function onlineCpus(): number {
  const list = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim();
  return list.split(',').reduce((sum, range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return sum + last - first + 1;
  }, 0);
}

async function untilCpus(sampler: Sampler, count: number): Promise<void> {
  const giveUpMs = Date.now() + 20_000;
  while (sampler.stats().cpus !== count) {
    if (Date.now() > giveUpMs)
      throw new Error(`${sampler.stats().cpus} CPUs are sampled, ${count} are online`);
    await delay(50);
  }
}

it('samples the CPUs that are online, also when their number changes', async () => {
  const before = onlineCpus();
  const sampler = new Sampler({ frequencyHz: 99 });
  try {
    expect(sampler.stats().cpus).toBe(before);
    // A machine with one CPU, or whose CPUs cannot be switched, has nothing more to show.
    if (!existsSync(SWITCH)) return;
    writeFileSync(SWITCH, '0');
    await untilCpus(sampler, before - 1);
    writeFileSync(SWITCH, '1');
    await untilCpus(sampler, before);
    sampler.collect();
  } finally {
    sampler.close();
  }
  const { idle, samples, lostRingFull, lostTableFull, interrupts } = sampler.stats();
  expect(idle + samples + lostRingFull + lostTableFull).toBe(interrupts);
});

/**
 * Samples from inside a PID namespace: `nested-agent.ts INSIDE DEEPER`. Runs INSIDE here and DEEPER in a
 * namespace of its own, samples until it has enough of both, and prints what it saw as JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { STACK_COMPLETE } from '../../collection.ts';
import { Sampler } from '../../sampler.ts';
import { Load } from '../load.ts';
import { isPending } from '../stack-ends.ts';
import { countOf, Recording } from '../recording.ts';

const ENOUGH = 40;
const GIVE_UP_MS = 60_000;

const [, , inside = '', deeper = ''] = process.argv;

/** Names of the processes of this namespace, by pid. */
function names(): Record<string, string> {
  const byPid: Record<string, string> = {};
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      byPid[pid] = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    } catch {
      // It has ended.
    }
  }
  return byPid;
}

const load = new Load();
const sampler = new Sampler({ frequencyHz: 99 });
const recording = new Recording();
const giveUpMs = Date.now() + GIVE_UP_MS;
// The processes that are there already have been read: those that follow are seen to start.
while (sampler.stats().drains === 0 && Date.now() < giveUpMs) await delay(100);
load.start(inside);
load.start('unshare', '--pid', '--fork', '--mount-proc', deeper);
const pidOf = (path: string): number =>
  Number(Object.entries(names()).find(([, name]) => path.endsWith(`/${name}`))?.[0] ?? 0);
const isEnough = (path: string): boolean => countOf(recording.of(pidOf(path))) > ENOUGH;
while (!(isEnough(inside) && isEnough(deeper)) && Date.now() < giveUpMs) {
  await delay(200);
  recording.add(sampler.collect());
}
const found = names();
sampler.close();
recording.add(sampler.collect());
load.end();
const seen = [inside, deeper].map((path) => {
  const samples = recording.of(
    Number(Object.entries(found).find(([, n]) => path.endsWith(`/${n}`))?.[0] ?? 0),
  );
  const settled = samples.filter(({ frames }) =>
    frames.some(({ binary }) => dirname(binary) === dirname(inside)),
  );
  const ready = settled.filter((sample) => !isPending(sample));
  const complete = ready.filter(({ flags }) => (flags & STACK_COMPLETE) !== 0);
  return {
    samples: countOf(samples),
    settled: countOf(settled),
    ready: countOf(ready),
    complete: countOf(complete),
  };
});
const comms = [...new Set(recording.samples.map(({ comm }) => comm))];
const events = recording.processes.map(({ pid, kind, executable }) => ({ pid, kind, executable }));
process.stdout.write(JSON.stringify({ seen, comms, events, stats: sampler.stats() }));

import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

import { Sampler, type SamplerOptions } from '../sampler.ts';
import type { SamplerStats } from '../sampler-stats.ts';
import { Recording } from './recording.ts';

/** Processes that a test started, to be ended by it. */
export class Load {
  readonly #children: ChildProcess[] = [];

  start(file: string, ...args: string[]): number {
    // A group of its own, so that what it starts ends with it.
    const child = spawn(file, args, { stdio: 'ignore', detached: true });
    this.#children.push(child);
    if (child.pid === undefined) throw new Error(`${file} did not start`);
    return child.pid;
  }

  end(): void {
    for (const { pid } of this.#children.splice(0)) {
      if (pid === undefined) continue;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

/** Samples until `enough` says so; the recording has everything afterwards. */
export async function sampleUntil(
  options: SamplerOptions,
  enough: (recording: Recording) => boolean,
  timeoutMs: number,
): Promise<{ recording: Recording; stats: SamplerStats }> {
  const recording = new Recording();
  const sampler = new Sampler(options);
  const giveUpMs = Date.now() + timeoutMs;
  try {
    while (!enough(recording)) {
      if (Date.now() > giveUpMs) throw new Error(`not enough samples in ${timeoutMs / 1000} s`);
      await delay(200);
      recording.add(sampler.collect());
    }
  } finally {
    sampler.close();
  }
  recording.add(sampler.collect());
  return { recording, stats: sampler.stats() };
}

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

import type { StackEnd } from '../../collection.ts';
import { Agreement } from './agreement.ts';
import { readPerfScript } from './perf-script.ts';
import { readStackCopies, type StackCopy } from './perf-data.ts';
import { type Place, ProcessMaps } from './process-maps.ts';
import { walkCopies } from './walker.ts';

/** Of stack per sample: perf's records hold at most 64 KiB. */
const STACK_BYTES = 32_768;

interface Options {
  /** The program of buildWalker. */
  readonly walker: string;
  readonly directory: string;
  /** With all of their threads. */
  readonly pids: readonly number[];
  readonly seconds: number;
  readonly frequencyHz: number;
}

/**
 * Lets perf sample user code of processes, and compares how perf unwinds each sample with how the BPF
 * program's unwinder does, from the same registers and the same copy of the stack, frame by frame.
 */
export async function compareWithPerf(options: Options): Promise<Agreement> {
  const { walker, directory, pids, seconds, frequencyHz } = options;
  const data = `${directory}/perf.data`;
  const event = ['-e', 'cpu-clock:u', '-F', String(frequencyHz), '--call-graph', `dwarf,${STACK_BYTES}`];
  const target = ['-o', data, '-p', pids.join(','), '--', 'sleep', String(seconds)];
  execFileSync('perf', ['record', '-q', ...event, ...target], { stdio: 'ignore' });
  const maps = new Map(pids.map((pid) => [pid, readFileSync(`/proc/${pid}/maps`, 'utf8')]));
  const copies = new Map<number, StackCopy[]>();
  for (const copy of readStackCopies(data)) {
    const list = copies.get(copy.pid);
    if (list === undefined) copies.set(copy.pid, [copy]);
    else list.push(copy);
  }
  const ours = new Map<string, { end: StackEnd; frames: Place[] }>();
  for (const [pid, list] of copies) {
    const text = maps.get(pid);
    if (text === undefined) continue;
    const file = `${directory}/maps-${pid}`;
    writeFileSync(file, text);
    const places = new ProcessMaps(text);
    const walks = walkCopies(walker, file, list);
    for (const [i, { tid, timeNs }] of list.entries()) {
      const walk = walks[i]!;
      ours.set(`${tid}@${timeNs}`, {
        end: walk.end,
        frames: walk.frames.map((frame) => places.placeOf(frame)),
      });
    }
  }
  const agreement = new Agreement();
  for await (const { tid, timeNs, frames } of readPerfScript(data)) {
    const walk = ours.get(`${tid}@${timeNs}`);
    if (walk !== undefined) agreement.add(walk.frames, frames, walk.end);
  }
  return agreement;
}

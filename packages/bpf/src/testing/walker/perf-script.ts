import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { Place } from './process-maps.ts';

/** A sample as perf itself unwinds it. */
export interface PerfStack {
  readonly pid: number;
  readonly tid: number;
  readonly timeNs: bigint;
  /** Leaf first; of callers the last byte of the call. */
  readonly frames: readonly Place[];
}

const HEAD = /^ *(\d+)\/(\d+) +(\d+)\.(\d{9}):/;
const FRAME = /^\s+([0-9a-f]+) +\((.*)\)$/;

/** What perf prints as the last frame where the copy of the stack ends. */
const NO_CALLER = 'ffffffffffffffff';

/** The samples of a perf.data file, unwound by perf script. */
export async function* readPerfScript(path: string): AsyncGenerator<PerfStack> {
  const options = ['--no-inline', '--ns', '--max-stack', '127', '-F', 'pid,tid,time,ip,dso'];
  const child = spawn('perf', ['script', '-i', path, ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
  let current: { pid: number; tid: number; timeNs: bigint; frames: Place[] } | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const head = HEAD.exec(line);
    const frame = FRAME.exec(line);
    if (head !== null) {
      if (current !== undefined) yield current;
      const [, pid, tid, seconds = '', ns = ''] = head;
      current = { pid: Number(pid), tid: Number(tid), timeNs: BigInt(seconds + ns), frames: [] };
    } else if (frame !== null && frame[1] !== NO_CALLER) {
      current?.frames.push(placeOf(frame[1] ?? '', frame[2] ?? ''));
    }
  }
  if (current !== undefined) yield current;
}

/** perf prints offsets in files, and addresses where there is no file. */
function placeOf(hex: string, dso: string): Place {
  const offset = BigInt(`0x${hex}`);
  if (dso === '[unknown]') return { binary: '[unmapped]', offset };
  if (dso === '//anon' || /\/perf-\d+\.map$/.test(dso) || dso === 'inlined')
    return { binary: '[anonymous]', offset };
  return { binary: dso, offset };
}

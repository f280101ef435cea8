import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Agreement } from './agreement.ts';
import { ProcessMaps } from './process-maps.ts';
import { decodeWalk, encodeWalk } from './walker.ts';

interface Options {
  /** The program of buildWalker. */
  readonly walker: string;
  readonly directory: string;
  /** Stopped one after the other. */
  readonly pids: readonly number[];
  /** In all, shared among the processes. */
  readonly stops: number;
}

/** What stop-with-gdb.py prints. */
interface Line {
  readonly registers?: readonly string[];
  readonly frames?: readonly (readonly [pc: string, isSignalFrame: boolean])[];
  readonly stopped?: boolean;
}

const SCRIPT = fileURLToPath(new URL('stop-with-gdb.py', import.meta.url));

/**
 * Lets gdb stop processes at random moments, and compares the frames that gdb finds in each thread with those that the BPF
 * program's unwinder finds, from the same registers and the same memory.
 */
export async function compareWithGdb({ walker, directory, pids, stops }: Options): Promise<Agreement> {
  const agreement = new Agreement();
  for (const pid of pids) {
    await compareProcess(agreement, walker, directory, pid, Math.max(1, Math.ceil(stops / pids.length)));
  }
  return agreement;
}

/** Without the frames at 0 that gdb shows where the return address is 0, which is the end of Go's stacks. */
function callersOnly(frames: NonNullable<Line['frames']>): NonNullable<Line['frames']> {
  const end = frames.findIndex(([pc]) => pc === '0');
  return end < 0 ? frames : frames.slice(0, end);
}

async function compareProcess(
  agreement: Agreement,
  walker: string,
  directory: string,
  pid: number,
  stops: number,
): Promise<void> {
  const text = readFileSync(`/proc/${pid}/maps`, 'utf8');
  const file = `${directory}/gdb-maps-${pid}`;
  writeFileSync(file, text);
  const places = new ProcessMaps(text);
  const ours = spawn(walker, [file, String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
  const gdb = spawn(
    'gdb',
    ['-q', '-nx', '-batch', '-ex', `python STOPS=${stops}; PID=${pid}`, '-x', SCRIPT],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  for await (const line of createInterface({ input: gdb.stdout })) {
    if (!line.startsWith('@')) continue;
    const { registers, frames, stopped } = JSON.parse(line.slice(1)) as Line;
    if (stopped === true) gdb.stdin.write('\n');
    if (registers === undefined || frames === undefined) continue;
    ours.stdin.write(encodeWalk({ registers: BigUint64Array.from(registers, BigInt) }));
    const answer = await answers.next();
    if (answer.done === true) throw new Error('the walker ended');
    const walk = decodeWalk(answer.value);
    // A caller is said by the address to return to, unless a signal interrupted it.
    const theirs = callersOnly(frames).map(([pc], i, all) => {
      const exact = i === 0 || all[i - 1]![1] || all[i]![1];
      return places.placeOf(exact ? BigInt(pc) : BigInt(pc) - 1n);
    });
    agreement.add(
      walk.frames.map((frame) => places.placeOf(frame)),
      theirs,
      walk.end,
    );
  }
  ours.stdin.end();
  await once(ours, 'exit');
}

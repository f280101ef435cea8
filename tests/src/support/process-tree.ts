import { readFileSync } from 'node:fs';

/** The child of a process whose command line has that word; undefined: there is none now. */
export function childOf(pid: number, word: string): number | undefined {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.find((child) => textOf(`/proc/${child}/cmdline`).split('\0').includes(word));
}

/** A value of /proc/PID/status, such as CapEff; "" when the process is not there. */
export function statusOf(pid: number, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(textOf(`/proc/${pid}/status`))?.[1] ?? '';
}

/** Whether it runs: one that has ended and was not waited for does not. */
export function isRunning(pid: number): boolean {
  const state = statusOf(pid, 'State');
  return state !== '' && !state.startsWith('Z');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

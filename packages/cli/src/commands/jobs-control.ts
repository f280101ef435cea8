import { FleetflameError } from '@fleetflame/profile';
import type { JobControl } from '@fleetflame/proto/store/v1/jobs';
import type { Command } from 'commander';
import { connectJobs } from '../client/connection.ts';
import { formatBytes } from '../client/format.ts';
import { printJson, printLine } from '../client/output.ts';
import { serverOption } from '../client/scope.ts';

/** What is held back, of kinds whose blocks are none. */
const HELD: ReadonlyMap<string, string> = new Map([
  ['sweep', 'objects without a row, written'],
  ['symbols', 'symbol objects that were replaced, written'],
]);

interface PauseOptions {
  readonly reason: string;
  readonly server: string;
  readonly json?: boolean;
}

interface ResumeOptions {
  readonly yes?: boolean;
  readonly server: string;
  readonly json?: boolean;
}

/** `jobs pause` and `jobs resume`. */
export function addJobControl(jobs: Command): void {
  jobs
    .command('pause')
    .description('let nobody take up work of a kind; what is underway ends')
    .argument('<kind>', 'plan, expire, remove, sweep, recheck, copy, symbols, merge, rollup or erase')
    .option('--reason <text>', 'for those who find it paused', '')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(pause);
  jobs
    .command('resume')
    .description('let work of a kind go on; what it holds back goes with --yes, and is only shown without')
    .argument('<kind>', 'as of pause')
    .option('--yes', 'really: what is removed does not come back')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(resume);
}

async function pause(kind: string, { reason, server, json }: PauseOptions): Promise<void> {
  await connectJobs(server).pause({ kind, reason });
  if (json === true) printJson({ kind, paused: true });
  else printLine(`${kind} is paused; fleetflame jobs resume ${kind} ends that`);
}

async function resume(kind: string, { yes = false, server, json }: ResumeOptions): Promise<void> {
  const { control } = await connectJobs(server).resume({ kind, held: yes });
  const isHeld = control !== undefined && control.heldMs > 0n;
  if (isHeld && !yes) {
    throw new FleetflameError(
      'invalid_input',
      `${controlText(control)} It would be gone for good: repeat it with --yes`,
    );
  }
  if (json === true)
    printJson({ kind, resumed: true, ...(control === undefined ? {} : controlJson(control)) });
  else if (isHeld) printLine(`${controlText(control)} It goes with the next run of ${kind}.`);
  else printLine(control === undefined ? `${kind} was not paused` : `${kind} goes on`);
}

/** What is to be said about a kind, in a sentence. */
export function controlText(control: JobControl): string {
  const { kind, pausedMs, pauseReason, heldMs, heldBlocks, heldBytes, heldFromMs, heldToMs, heldReason } =
    control;
  const parts: string[] = [];
  if (pausedMs > 0n)
    parts.push(`${kind} is paused since ${iso(pausedMs)}${pauseReason === '' ? '' : ` (${pauseReason})`}.`);
  if (heldMs > 0n) {
    const what = HELD.get(kind) ?? 'blocks with samples';
    parts.push(
      `${kind} holds back ${heldBlocks} ${what} from ${iso(heldFromMs)} to ${iso(heldToMs)}, ${heldBytes > 0n ? `${formatBytes(Number(heldBytes))}, ` : ''}` +
        `since ${iso(heldMs)}: ${heldReason}.`,
    );
  }
  if (control.resumed) parts.push(`It was said that what ${kind} held back may go.`);
  return parts.join(' ');
}

/** Plain JSON with numbers in place of 64-bit integers. */
export function controlJson(control: JobControl): object {
  const { kind, pauseReason, heldReason, resumed } = control;
  return {
    kind,
    pausedMs: Number(control.pausedMs),
    pauseReason,
    heldMs: Number(control.heldMs),
    heldReason,
    heldBlocks: Number(control.heldBlocks),
    heldBytes: Number(control.heldBytes),
    heldFromMs: Number(control.heldFromMs),
    heldToMs: Number(control.heldToMs),
    resumed,
  };
}

function iso(ms: bigint): string {
  return new Date(Number(ms)).toISOString().slice(0, 19);
}

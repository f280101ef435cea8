import { FleetflameError } from '@fleetflame/profile';
import type { Job } from '@fleetflame/proto/store/v1/jobs';
import type { Command } from 'commander';
import { connectJobs } from '../client/connection.ts';
import { formatTable } from '../client/format.ts';
import { printJson, printLine, printWarnings } from '../client/output.ts';
import { serverOption } from '../client/scope.ts';
import { addJobControl, controlText } from './jobs-control.ts';
import { parseCount } from './options.ts';

interface ListOptions {
  readonly limit: number;
  readonly server: string;
  readonly json?: boolean;
}

interface EraseOptions {
  readonly yes?: boolean;
  readonly server: string;
  readonly json?: boolean;
}

/** The background work of a store. */
export function addJobs(program: Command): void {
  const jobs = program
    .command('jobs')
    .description('the background work of a store: list, pause and resume it, ask for data to be erased')
    .addHelpText(
      'after',
      "\nExamples:\n  fleetflame jobs list\n  fleetflame jobs erase 'user_id=4711' --yes\n  fleetflame jobs pause sweep --reason 'a restore'\n  fleetflame jobs resume expire --yes",
    );
  jobs
    .command('list')
    .description('merges, rollups and tasks: underway, waiting, and the last ones that ended')
    .option('--limit <count>', 'at most so many', parseCount('--limit', 1, 10_000), 100)
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(list);
  jobs
    .command('erase')
    .description('remove everything that has a label with a value, from every block that is there now')
    .argument('<label>', 'name=value')
    .option('--yes', 'really: what is erased does not come back')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(erase);
  addJobControl(jobs);
}

async function list(options: ListOptions): Promise<void> {
  const { jobs, controls } = await connectJobs(options.server).listJobs({ limit: options.limit });
  printWarnings(controls.map(controlText));
  if (options.json === true) {
    printJson(jobs.map(jobJson));
    return;
  }
  if (jobs.length === 0) {
    printLine('no jobs yet: nothing compacts this store (./fleetflame up or compactor does)');
    return;
  }
  printLine(
    formatTable(
      ['kind', 'what', 'state', 'by', 'tries', 'started', 'ended', 'result'],
      jobs.map((job) => [
        job.kind,
        job.subject,
        job.state,
        job.owner || '-',
        String(job.attempts),
        timeOf(job.startedMs),
        timeOf(job.endedMs),
        job.lastError || job.outcome || '-',
      ]),
      [false, false, false, false, true],
    ),
  );
}

async function erase(label: string, options: EraseOptions): Promise<void> {
  const equals = label.indexOf('=');
  if (equals < 1 || equals === label.length - 1) {
    throw new FleetflameError('invalid_input', `"${label}" is no name=value`);
  }
  const labelName = label.slice(0, equals);
  const labelValue = label.slice(equals + 1);
  if (options.yes !== true) {
    throw new FleetflameError(
      'invalid_input',
      `everything with ${labelName}="${labelValue}" would be gone for good: repeat it with --yes`,
    );
  }
  const { jobId } = await connectJobs(options.server).erase({ labelName, labelValue });
  if (options.json === true) printJson({ jobId });
  else printLine(`job ${jobId} erases it; ./fleetflame jobs list shows how far it is`);
}

/** Plain JSON with numbers in place of 64-bit integers. */
function jobJson(job: Job): object {
  return {
    id: job.id,
    kind: job.kind,
    subject: job.subject,
    state: job.state,
    owner: job.owner,
    attempts: job.attempts,
    lastError: job.lastError,
    createdMs: Number(job.createdMs),
    startedMs: Number(job.startedMs),
    endedMs: Number(job.endedMs),
    notBeforeMs: Number(job.notBeforeMs),
    outcome: job.outcome,
  };
}

function timeOf(ms: bigint): string {
  return ms === 0n ? '-' : new Date(Number(ms)).toISOString().slice(0, 19);
}

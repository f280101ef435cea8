import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  ERROR_CODE_HEADER,
  FleetflameError,
  FORMAT_NAMES,
  SERIES_KINDS,
  visibleText,
} from '@fleetflame/profile';
import {
  WriteProfileRequestSchema,
  type WriteProfileRequest,
  type WriteProfileResponse,
} from '@fleetflame/proto/ingest/v1/ingest';
import { Option, type Command } from 'commander';
import { parseTimeMs } from '../client/duration.ts';
import { connect, explain, type Clients } from '../client/connection.ts';
import { formatBytes } from '../client/format.ts';
import { printError, printJson, printLine, printWarnings, showProgress } from '../client/output.ts';
import { readProfileFile } from '../client/read-profile-file.ts';
import { serverOption } from '../client/scope.ts';
import { collect } from './options.ts';

interface PushOptions {
  readonly label: readonly string[];
  readonly time?: string;
  readonly format?: string;
  readonly type?: string;
  readonly unit?: string;
  readonly kind?: string;
  readonly server: string;
  readonly json?: boolean;
}

/** Attempts at a server that is full, with a second more before each. */
const MAX_ATTEMPTS = 4;

/** Profiles of any known format into the store, one after another; the others go on when one fails. */
export function addPush(program: Command): void {
  program
    .command('push')
    .description(`store profiles: ${FORMAT_NAMES.join(', ')}`)
    .argument('<files...>', 'profiles, plain or inside gzip or zstd; - is standard input')
    .option('--label <name=value>', 'added to every sample; service_name is required', collect, [])
    .option('--time <time>', 'now, RFC 3339 or Unix seconds instead of the time in the file')
    .addOption(
      new Option('--format <format>', 'instead of what the content looks like').choices(FORMAT_NAMES),
    )
    .option(
      '--type <type>',
      'what the values are where the file does not say: cpu, wall, alloc_space, …; of pprof the name: mutex, block',
    )
    .option('--unit <unit>', 'their unit where the file does not say: nanoseconds, count, bytes, …')
    .addOption(
      new Option(
        '--kind <kind>',
        'rate: values add up; gauge: what there is at a moment; cumulative: since the process began (default: by the type)',
      ).choices(SERIES_KINDS),
    )
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(async (files: readonly string[], options: PushOptions) => {
      const labels = parseLabels(options.label);
      const timeMs = options.time === undefined ? undefined : parseTimeMs(options.time, '--time', Date.now());
      const clients = connect(options.server);
      const answers: object[] = [];
      for (const file of files) {
        try {
          const request = create(WriteProfileRequestSchema, {
            profile: await readProfileFile(file),
            format: options.format ?? '',
            labels,
            pushId: randomUUID(),
            type: options.type ?? '',
            unit: options.unit ?? '',
            kind: options.kind ?? '',
          });
          if (timeMs !== undefined) request.timeMs = BigInt(timeMs);
          const answer = await pushed(clients, file, request);
          if (options.json === true) answers.push({ file, ...jsonOf(answer) });
          else report(answer, files.length > 1 ? `${file}: ` : '');
        } catch (error) {
          // Of a single file the message is the command's own.
          if (files.length === 1) throw error;
          const reason = `${file}: ${explain(error, options.server)}`;
          if (options.json === true) answers.push({ file, error: explain(error, options.server) });
          else printError(reason);
          process.exitCode = 1;
          // The other files would not get through either.
          if (error instanceof ConnectError && error.code === Code.Unavailable) break;
        }
      }
      if (options.json === true) printJson(files.length === 1 ? answers[0] : answers);
    });
}

/** Sends a file; again while the server is full, which the id of the push makes harmless. */
async function pushed(
  { ingest }: Clients,
  file: string,
  request: WriteProfileRequest,
): Promise<WriteProfileResponse> {
  showProgress(`pushing ${JSON.stringify(file)} (${formatBytes(request.profile.length)}) …`);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ingest.writeProfile(request);
      } catch (error) {
        const full = error instanceof ConnectError && error.metadata.get(ERROR_CODE_HEADER) === 'overloaded';
        if (!full || attempt === MAX_ATTEMPTS) throw error;
        await sleep(1000 * attempt);
      }
    }
  } finally {
    showProgress('');
  }
}

function report(answer: WriteProfileResponse, prefix: string): void {
  const time = new Date(Number(answer.timeMs)).toISOString();
  const again = answer.duplicate ? ', which were stored before' : '';
  printLine(
    answer.rows === 0n
      ? `${prefix}no samples (${answer.format}): nothing to store`
      : `${prefix}stored ${answer.rows} sample rows at ${time} (${answer.format})${again}`,
  );
  for (const total of answer.totals) printLine(`  ${visibleText(total.profileType)}  ${total.total}`);
  printWarnings(
    answer.changes
      .filter(({ what }) => what !== 'no_samples')
      .map(({ count, meaning, example }) => {
        const first = example === '' ? '' : `; the first: ${visibleText(example)}`;
        return `${prefix}${count} × ${meaning}${first}`;
      }),
  );
}
function jsonOf(answer: WriteProfileResponse): object {
  return {
    format: answer.format,
    time: new Date(Number(answer.timeMs)).toISOString(),
    rows: Number(answer.rows),
    duplicate: answer.duplicate,
    totals: Object.fromEntries(answer.totals.map((t) => [t.profileType, Number(t.total)])),
    changes: answer.changes.map(({ what, count, example, meaning }) => ({
      what,
      count: Number(count),
      example,
      meaning,
    })),
  };
}

function parseLabels(pairs: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) {
      throw new FleetflameError('invalid_input', `--label: "${pair}" is not name=value`, {
        field: '--label',
      });
    }
    labels.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return Object.fromEntries(labels);
}

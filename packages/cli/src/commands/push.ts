import { readFile, stat } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { FleetflameError } from '@fleetflame/profile';
import { WritePprofRequestSchema } from '@fleetflame/proto/ingest/v1/ingest';
import type { Command } from 'commander';
import { parseTimeMs } from '../client/duration.ts';
import { connect } from '../client/connection.ts';
import { messageOf } from '../client/message.ts';
import { printJson, printLine } from '../client/output.ts';
import { serverOption } from '../client/scope.ts';
import { collect } from './options.ts';

interface PushOptions {
  readonly label: readonly string[];
  readonly time?: string;
  readonly server: string;
  readonly json?: boolean;
}

/** Larger files than the server's message limit are refused before they are read. */
const MAX_FILE_BYTES = 60 << 20;

/** A pprof file into the store. */
export function addPush(program: Command): void {
  program
    .command('push')
    .description('store a pprof file')
    .argument('<file>', 'a pprof profile, gzip or plain')
    .option('--label <name=value>', 'added to every sample; service_name is required', collect, [])
    .option('--time <time>', 'now, RFC 3339 or Unix seconds instead of the time in the file')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(async (file: string, options: PushOptions) => {
      const request = create(WritePprofRequestSchema, {
        profile: await readProfile(file),
        labels: parseLabels(options.label),
      });
      if (options.time !== undefined)
        request.timeMs = BigInt(parseTimeMs(options.time, '--time', Date.now()));
      const answer = await connect(options.server).ingest.writePprof(request);
      const time = new Date(Number(answer.timeMs)).toISOString();
      if (options.json === true) {
        printJson({
          time,
          rows: Number(answer.rows),
          totals: Object.fromEntries(answer.totals.map((t) => [t.profileType, Number(t.total)])),
        });
        return;
      }
      printLine(`stored ${answer.rows} sample rows at ${time}`);
      for (const total of answer.totals) printLine(`  ${total.profileType}  ${total.total}`);
    });
}

async function readProfile(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) {
      throw new FleetflameError(
        'limit_exceeded',
        `${file} has ${size} bytes, more than the ${MAX_FILE_BYTES} that a server takes`,
      );
    }
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof FleetflameError) throw cause;
    throw new FleetflameError('invalid_input', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function parseLabels(pairs: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) {
      throw new FleetflameError('invalid_input', `--label: "${pair}" is not name=value`, {
        field: '--label',
      });
    }
    labels[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return labels;
}

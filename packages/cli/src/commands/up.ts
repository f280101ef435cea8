import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { FilterSource } from '@fleetflame/agent';
import { FleetflameError } from '@fleetflame/profile';
import { type Command, Option } from 'commander';
import { parseDurationMs } from '../client/duration.ts';
import { messageOf } from '../client/message.ts';
import { printLine } from '../client/output.ts';
import { AgentProcess } from '../server/agent-process.ts';
import { createLogger } from '../server/logger.ts';
import { parseListen } from '../server/one-port.ts';
import { startServer } from '../server/server.ts';
import { addAgentOptions, type SamplingOptions } from './agent.ts';
import { LOG_LEVELS } from './options.ts';

interface UpOptions extends SamplingOptions {
  readonly listen: string;
  readonly data: string;
  readonly retention: string;
  readonly logLevel: string;
  readonly agent: boolean;
}

/** Root's data belongs to the machine, anybody else's to their home. */
function defaultDataDir(): string {
  return process.getuid?.() === 0 ? '/var/lib/fleetflame' : join(homedir(), '.local', 'share', 'fleetflame');
}

/** Everything in one process tree. */
export function addUp(program: Command): void {
  const command = program
    .command('up')
    .description('start agent, ingest, store, query and UI on one port')
    .option('--listen <host:port>', 'where to answer', '127.0.0.1:7171')
    .option('--data <directory>', 'where profiles, symbols and the catalog are kept', defaultDataDir())
    .option('--retention <duration>', 'how long profiles are kept', '7d')
    .option('--no-agent', 'do not profile this host');
  addAgentOptions(command)
    .addOption(new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS).default('info'))
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const { host, port } = parseListen(options.listen);
  const retentionMs = parseDurationMs(options.retention, '--retention');
  const dataDir = isAbsolute(options.data) ? options.data : resolve(options.data);
  await mkdir(dataDir, { recursive: true }).catch((cause: unknown) => {
    throw new FleetflameError('unsupported', `--data: cannot create ${dataDir}: ${messageOf(cause)}`, {
      cause,
    });
  });
  const log = createLogger('up', options.logLevel);
  // A mistake in the filter is said before anything is started.
  const filter = new FilterSource(
    { only: options.only, skip: options.skip, file: options.filterFile },
    log,
  ).status();

  // The agent needs the port, the server needs the agent's view: the view comes first, the process last.
  const holder: { agent: AgentProcess } = {
    agent: AgentProcess.unavailable(log, 'the agent is turned off (--no-agent)'),
  };
  const server = await startServer({
    dataDir,
    host,
    port,
    retentionMs,
    log,
    agent: { status: () => holder.agent.status(), metrics: () => holder.agent.metrics() },
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  if (options.agent) {
    holder.agent = new AgentProcess({
      arguments: [
        `--server=${url.replace('0.0.0.0', '127.0.0.1')}`,
        `--spool=${join(dataDir, 'spool')}`,
        `--frequency=${options.frequency}`,
        `--window=${options.window}`,
        `--log-level=${options.logLevel}`,
        ...filterArguments(options),
      ],
      log,
    });
    holder.agent.start();
    if (options.filterFile !== undefined) process.on('SIGHUP', () => holder.agent.reload());
  }
  printLine(`Fleetflame is up: ${url}`);
  if (options.agent && filter.rules.length > 0) printLine(`Not all is profiled: ${filter.rules.join(', ')}`);
  printLine(`Data in ${dataDir}, kept for ${options.retention}. Ctrl-C ends it.`);
  if (host !== '127.0.0.1' && host !== '::1' && host !== 'localhost') {
    log.warn(
      { host },
      'listening beyond this host: anybody who reaches the port can read and write profiles',
    );
  }

  await stopSignal(log);
  printLine('Stopping: sending the last window ...');
  await holder.agent.stop();
  await server.close();
  printLine('Stopped.');
}

function filterArguments({ only, skip, filterFile }: UpOptions): readonly string[] {
  return [
    ...only.map((rule) => `--only=${rule}`),
    ...skip.map((rule) => `--skip=${rule}`),
    ...(filterFile === undefined ? [] : [`--filter-file=${resolve(filterFile)}`]),
  ];
}

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
async function stopSignal(log: ReturnType<typeof createLogger>): Promise<void> {
  await new Promise<void>((resolve) => {
    let stopping = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) {
          log.warn('a second signal: ending without waiting');
          process.exit(130);
        }
        stopping = true;
        resolve();
      });
    }
  });
}

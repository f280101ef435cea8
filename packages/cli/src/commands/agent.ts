import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { type Agent, startAgent } from '@fleetflame/agent';
import { FleetflameError } from '@fleetflame/profile';
import { type Command, Option } from 'commander';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parseDurationMs } from '../client/duration.ts';
import { serverOption } from '../client/scope.ts';
import type { AgentMessage, AgentRequest } from '../server/agent-process.ts';
import { createLogger } from '../server/logger.ts';
import { collect, LOG_LEVELS, parseCount } from './options.ts';

export interface SamplingOptions {
  readonly frequency: number;
  readonly window: string;
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly filterFile?: string;
}

interface AgentOptions extends SamplingOptions {
  readonly server: string;
  readonly spool: string;
  readonly logLevel: string;
}

/** 19 Hz: prime, so that it does not beat with timers, and within the overhead budget. */
const DEFAULT_FREQUENCY_HZ = 19;

export function addAgentOptions(command: Command): Command {
  return (
    command
      .option(
        '--frequency <hz>',
        'samples per second and CPU, 1 to 1000',
        parseCount('--frequency', 1, 1000),
        DEFAULT_FREQUENCY_HZ,
      )
      .option('--window <duration>', 'how often a batch is sent', '10s')
      .option(
        '--only <rule>',
        'profile only processes that such a rule matches: exe:/usr/bin/*, comm:node, cgroup:/system.slice, pid:42; repeatable',
        collect,
        [],
      )
      .option('--skip <rule>', 'do not profile processes that such a rule matches; repeatable', collect, [])
      .option(
        '--filter-file <file>',
        'more such rules, one per line as "only RULE" or "skip RULE"; read again on SIGHUP and when it changes',
      )
      // The launcher reads it: it is about the flags that Node starts with.
      .option('--own-names', 'name the JavaScript functions of fleetflame itself; its perf map in /tmp grows')
  );
}

/** The agent alone, sending to a server elsewhere. */
export function addAgent(program: Command): void {
  addAgentOptions(
    program
      .command('agent')
      .description(`profile every process of this host (${hostname()}) and send it to a server`)
      .addOption(serverOption())
      .option(
        '--spool <directory>',
        'where batches wait until the server has them',
        '/var/lib/fleetflame/spool',
      ),
  )
    .addOption(new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS).default('info'))
    .action(runAgent);
}

async function runAgent(options: AgentOptions): Promise<void> {
  const log = createLogger('agent', options.logLevel);
  const registry = new Registry();
  // Event loop lag is measured by a timer: at its default of 10 ms it alone costs 0.45 % of a CPU.
  collectDefaultMetrics({
    register: registry,
    prefix: 'fleetflame_agent_',
    eventLoopMonitoringPrecision: 1000,
  });
  // Listened for before the start: a parent that dies meanwhile is not told of again.
  let agent: Agent | undefined;
  const stopped = stopRequest((request) => {
    if (request.type === 'reload') agent?.reloadFilter();
    else void registry.metrics().then((text) => report({ type: 'metrics', id: request.id, text }));
  });
  // Without a file to read again the signal keeps its meaning: the terminal is gone.
  if (options.filterFile !== undefined) process.on('SIGHUP', () => agent?.reloadFilter());
  try {
    agent = await startAgent({
      serverUrl: options.server,
      frequencyHz: options.frequency,
      windowMs: parseDurationMs(options.window, '--window'),
      spoolDir: options.spool,
      tableCacheDir: join(dirname(options.spool), 'unwind-tables'),
      filter: { only: options.only, skip: options.skip, file: options.filterFile },
      onFilter: (filter) => report({ type: 'filter', filter }),
      log,
      registry,
    });
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    log.error({ code: error.code }, `no agent: ${error.message}`);
    // What this host cannot do will not change by trying again, nor will options.
    const permanent = error.code === 'unsupported' || error.code === 'invalid_input';
    report({ type: 'failed', reason: error.message, permanent });
    process.exitCode = 1;
    if (process.connected) process.disconnect();
    return;
  }
  report({ type: 'running' });
  await stopped;
  await agent.stop();
  if (process.connected) process.disconnect();
}

/** Resolves when the agent should end: a signal, the parent's word, or the parent's death. */
async function stopRequest(
  onOther: (request: Exclude<AgentRequest, { readonly type: 'stop' }>) => void,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const child = process.send !== undefined;
    process.on('SIGTERM', () => resolve());
    // As a child: Ctrl-C reaches the whole group, and the parent says when to stop.
    process.on('SIGINT', () => {
      if (!child) resolve();
    });
    process.on('disconnect', () => resolve());
    if (child && !process.connected) resolve();
    process.on('message', (request: AgentRequest) => {
      if (request.type === 'stop') resolve();
      else onOther(request);
    });
  });
}

function report(message: AgentMessage): void {
  if (process.connected) process.send?.(message);
}

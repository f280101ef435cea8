import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { type Agent, stalledReason, startAgent, UPLOAD_WHAT, type UploadWhat } from '@fleetflame/agent';
import { FleetflameError } from '@fleetflame/profile';
import type { Command } from 'commander';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { printText } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { formatConfig } from '../config/print-config.ts';
import type { AgentMessage, AgentQuestion, AgentRequest } from '../server/agent-process.ts';
import { becomeAgent } from '../privileges/become-agent.ts';
import { createLogger } from '../server/logger.ts';
import { Door } from '../server/door/door.ts';
import { endOnUncaught } from '../server/door/uncaught.ts';
import { parseListen } from '../server/one-port.ts';
import { type AgentView, type Readiness, sendText, servePages } from '../server/pages.ts';

/** Without a parent: so long may it take to write its last window, and to try to send it. */
const ORPHAN_MS = 15_000;

/** The launcher reads it: it is about the flags that Node starts with. */
export function addOwnNames(command: Command): Command {
  return command.option(
    '--own-names',
    'name the JavaScript functions of fleetflame itself; its perf map in /tmp grows',
  );
}

/** The agent alone, sending to a server elsewhere. */
export function addAgent(program: Command): void {
  const command = program
    .command('agent')
    .description(`profile every process of this host (${hostname()}) and send it to a server`);
  addOwnNames(Config.addFlags(command, 'agent')).action(runAgent);
}

async function runAgent(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const config = await Config.load('agent', flags, process.env, undefined);
  if (flags['printConfig'] === true) {
    printText(formatConfig(config));
    return;
  }
  const spoolDir = config.requiredText('agent.spool');
  const log = createLogger('agent', config.requiredText('logLevel'));
  const tableCacheDir = join(dirname(spoolDir), 'unwind-tables');
  // As the child of a server it has what it was given.
  if (process.send === undefined) becomeAgent([spoolDir, tableCacheDir], log);
  const registry = new Registry();
  // Event loop lag is measured by a timer: at its default of 10 ms it alone costs 0.45 % of a CPU.
  collectDefaultMetrics({
    register: registry,
    prefix: 'fleetflame_agent_',
    eventLoopMonitoringPrecision: 1000,
  });
  // Listened for before the start: a parent that dies meanwhile is not told of again.
  let agent: Agent | undefined;
  const answerTo = async (type: AgentQuestion['type']): Promise<string> =>
    type === 'metrics' ? await registry.metrics() : JSON.stringify(agent?.stats() ?? null);
  const stopped = stopRequest((request) => {
    if (request.type === 'reload') agent?.reloadFilter();
    else void answerTo(request.type).then((text) => report({ type: 'answer', id: request.id, text }));
  });
  let readiness: Readiness = 'starting';
  const view: AgentView = {
    status: () => {
      const stats = agent?.stats();
      const reason = stats === undefined ? undefined : stalledReason(stats);
      const state = stats === undefined ? 'starting' : reason === undefined ? 'running' : 'stalled';
      return Promise.resolve({ state, ...(reason === undefined ? {} : { reason }), pid: process.pid, stats });
    },
    // They are in the registry of the pages.
    metrics: () => Promise.resolve(''),
  };
  // What it has to tell, the server that it is a child of tells for it.
  const listen = process.send === undefined ? config.text('agent.listen') : undefined;
  const { host, port: wanted } = parseListen(listen ?? '127.0.0.1:0', '--listen');
  const door = new Door({
    // A child's counters would be those of its parent's door under the same names.
    registry: listen === undefined ? new Registry() : registry,
    log: log.child({ part: 'door' }),
    host,
    allowHost: config.list('allowHost'),
  });
  endOnUncaught(log, door.metrics);
  const port =
    listen === undefined
      ? undefined
      : door.open(
          servePages(
            {
              role: 'agent',
              registry,
              agent: view,
              readiness: () => readiness,
              problems: () =>
                agent === undefined ? [] : [stalledReason(agent.stats())].filter((why) => why !== undefined),
            },
            (visit) => sendText(visit.response, 404, 'not found\n'),
          ),
        );
  if (port !== undefined) {
    const bound = await port.listen(host, wanted);
    log.info({ url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}` }, 'metrics and status');
  }
  const filterFile = config.text('agent.filterFile');
  // Without a file to read again the signal keeps its meaning: the terminal is gone.
  if (filterFile !== undefined) process.on('SIGHUP', () => agent?.reloadFilter());
  try {
    agent = await startAgent({
      serverUrl: config.requiredText('server'),
      symbolsUrl: config.text('agent.symbolsServer'),
      frequencyHz: config.number('agent.frequency'),
      windowMs: config.number('agent.window'),
      tableBudgetBytes: config.number('agent.unwindTableBudget'),
      spoolDir,
      spoolMaxBytes: config.number('agent.spoolSize') * 2 ** 20,
      spoolMaxAgeMs: config.number('agent.spoolAge'),
      tableCacheDir,
      filter: { only: config.list('agent.only'), skip: config.list('agent.skip'), file: filterFile },
      upload: { what: uploadOf(config.requiredText('agent.upload')), skip: config.list('agent.uploadSkip') },
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
    await port?.close(0);
    if (process.connected) process.disconnect();
    return;
  }
  report({ type: 'running' });
  readiness = 'ready';
  await stopped;
  readiness = 'draining';
  await agent.stop();
  await port?.close(0);
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
    const orphaned = (): void => {
      resolve();
      // Nobody is left to end it if it hangs.
      setTimeout(() => process.exit(1), ORPHAN_MS).unref();
    };
    process.on('disconnect', orphaned);
    if (child && !process.connected) orphaned();
    process.on('message', (request: AgentRequest) => {
      if (request.type === 'stop') resolve();
      else onOther(request);
    });
  });
}

function report(message: AgentMessage): void {
  if (process.connected) process.send?.(message);
}

/** A choice that the settings have checked. */
function uploadOf(text: string): UploadWhat {
  return UPLOAD_WHAT.find((what) => what === text) ?? 'debug';
}

import { flushCompileCache } from 'node:module';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FilterSource } from '@fleetflame/agent';
import type { FleetflameError } from '@fleetflame/profile';
import type { Command } from 'commander';
import { pino } from 'pino';
import { printLine } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { invalid } from '../config/setting.ts';
import { storePlace } from '../config/store-place.ts';
import { becomeParent, makePlan } from '../parent/make-plan.ts';
import { parentLacks } from '../privileges/confine.ts';
import { AgentProcess } from '../server/agent-process.ts';
import { agentRuntime } from '../server/agent-runtime.ts';
import { loadConfig, runServer, stopSignal } from '../server/run-server.ts';
import { addOwnNames } from './agent.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Everything in one process tree: as root a small parent of server and agent, else the server with the agent. */
export function addUp(program: Command): void {
  const command = program.command('up').description('start agent, ingest, store, query and UI on one port');
  addOwnNames(Config.addFlags(command, 'up')).action(up);
}

async function up(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const config = await loadConfig('up', flags);
  if (config === undefined) return;
  // A mistake in the filter is said before anything is started.
  const { rules } = new FilterSource(filterOf(config), pino({ enabled: false })).status();
  const profiles = config.isOn('agent.enabled') === true;
  const lines = [
    ...(profiles && rules.length > 0 ? [`Not all is profiled: ${rules.join(', ')}`] : []),
    `Data in ${storePlace(config).dataDir}, kept for ${config.requiredText('retention')}. Ctrl-C ends it.`,
  ];
  if (process.getuid?.() === 0) {
    const lacks = parentLacks();
    if (lacks.length === 0) {
      const plan = makePlan({ config, agentArguments: profiles ? agentArguments(config) : undefined, lines });
      // What it consists of is compiled and kept: then it does not load the compiler.
      await import('../parent/parent.ts');
      flushCompileCache();
      becomeParent(plan);
    }
    if (config.text('user') !== undefined) throw notPermitted(config, `this root lacks ${lacks.join(', ')}`);
  } else if (config.text('user') !== undefined && config.text('user') !== userInfo().username) {
    throw notPermitted(config, 'only root may');
  }
  await runAlone(config, profiles, lines);
}

function notPermitted(config: Config, why: string): FleetflameError {
  return invalid(config.nameOf('user'), `the server cannot be started as another user: ${why}`);
}

/** Without root's rights there is nothing to divide: the server is this process, and the agent its child. */
async function runAlone(config: Config, profiles: boolean, lines: readonly string[]): Promise<void> {
  // The agent needs the port, the server needs the agent's view: the view comes first, the process last.
  const holder: { agent: AgentProcess | undefined } = { agent: undefined };
  const {
    server,
    url,
    dataDir = '',
    log,
  } = await runServer('up', config, {
    agent: (serverLog) => {
      holder.agent = AgentProcess.unavailable(serverLog, 'the agent is turned off (--no-agent)');
      return {
        status: async () => (await holder.agent?.status()) ?? { state: 'starting' },
        metrics: async () => (await holder.agent?.metrics()) ?? '',
      };
    },
  });
  // Listened for before anybody can know that it is up.
  const stopped = stopSignal(log);
  if (profiles) {
    const { execArgv, env } = agentRuntime(process.execArgv, process.env);
    const own = [`--server=${url.replace('0.0.0.0', '127.0.0.1')}`, `--spool=${join(dataDir, 'spool')}`];
    holder.agent = new AgentProcess({
      command: () => [process.execPath, ...execArgv, MAIN, 'agent', ...own, ...agentArguments(config)],
      env,
      log,
    });
    holder.agent.start();
    if (config.text('agent.filterFile') !== undefined) process.on('SIGHUP', () => holder.agent?.reload());
  }
  printLine(`Fleetflame is up: ${url}`);
  for (const line of lines) printLine(line);

  await stopped;
  printLine('Stopping: sending the last window ...');
  await holder.agent?.stop();
  await server.close();
  printLine('Stopped.');
}

/** What the agent is told beside where the server and its spool are. */
function agentArguments(config: Config): readonly string[] {
  return [
    `--frequency=${config.requiredText('agent.frequency')}`,
    `--window=${config.requiredText('agent.window')}`,
    `--unwind-table-budget=${config.requiredText('agent.unwindTableBudget')}`,
    `--upload=${config.requiredText('agent.upload')}`,
    ...config.list('agent.uploadSkip').map((path) => `--upload-skip=${path}`),
    `--log-level=${config.requiredText('logLevel')}`,
    ...filterArguments(config),
  ];
}

function filterOf(config: Config): {
  only: readonly string[];
  skip: readonly string[];
  file: string | undefined;
} {
  return {
    only: config.list('agent.only'),
    skip: config.list('agent.skip'),
    file: config.text('agent.filterFile'),
  };
}

function filterArguments(config: Config): readonly string[] {
  const { only, skip, file } = filterOf(config);
  return [
    ...only.map((rule) => `--only=${rule}`),
    ...skip.map((rule) => `--skip=${rule}`),
    ...(file === undefined ? [] : [`--filter-file=${resolve(file)}`]),
  ];
}

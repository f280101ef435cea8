import { join, resolve } from 'node:path';
import { FilterSource } from '@fleetflame/agent';
import type { Command } from 'commander';
import { printLine } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { AgentProcess } from '../server/agent-process.ts';
import { runServer, stopSignal } from '../server/run-server.ts';
import { addOwnNames } from './agent.ts';

/** Everything in one process tree. */
export function addUp(program: Command): void {
  const command = program.command('up').description('start agent, ingest, store, query and UI on one port');
  addOwnNames(Config.addFlags(command, 'up')).action(up);
}

async function up(flags: Readonly<Record<string, unknown>>): Promise<void> {
  // The agent needs the port, the server needs the agent's view: the view comes first, the process last.
  const holder: { agent: AgentProcess | undefined; rules: readonly string[] } = {
    agent: undefined,
    rules: [],
  };
  const running = await runServer('up', flags, (config, log) => {
    // A mistake in the filter is said before anything is started.
    holder.rules = new FilterSource(filterOf(config), log).status().rules;
    holder.agent = AgentProcess.unavailable(log, 'the agent is turned off (--no-agent)');
    return {
      status: async () => (await holder.agent?.status()) ?? { state: 'starting' },
      metrics: async () => (await holder.agent?.metrics()) ?? '',
    };
  });
  if (running === undefined) return;
  const { config, server, url, dataDir = '', log } = running;
  // Listened for before anybody can know that it is up.
  const stopped = stopSignal(log);
  const profiles = config.isOn('agent.enabled') === true;
  if (profiles) {
    holder.agent = new AgentProcess({
      arguments: [
        `--server=${url.replace('0.0.0.0', '127.0.0.1')}`,
        `--spool=${join(dataDir, 'spool')}`,
        `--frequency=${config.requiredText('agent.frequency')}`,
        `--window=${config.requiredText('agent.window')}`,
        `--unwind-table-budget=${config.requiredText('agent.unwindTableBudget')}`,
        `--upload=${config.requiredText('agent.upload')}`,
        ...config.list('agent.uploadSkip').map((path) => `--upload-skip=${path}`),
        `--log-level=${config.requiredText('logLevel')}`,
        ...filterArguments(config),
      ],
      log,
    });
    holder.agent.start();
    if (config.text('agent.filterFile') !== undefined) process.on('SIGHUP', () => holder.agent?.reload());
  }
  printLine(`Fleetflame is up: ${url}`);
  if (profiles && holder.rules.length > 0) printLine(`Not all is profiled: ${holder.rules.join(', ')}`);
  printLine(`Data in ${dataDir}, kept for ${config.requiredText('retention')}. Ctrl-C ends it.`);

  await stopped;
  printLine('Stopping: sending the last window ...');
  await holder.agent?.stop();
  await server.close();
  printLine('Stopped.');
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

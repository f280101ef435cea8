import { flushCompileCache } from 'node:module';
import { FleetflameError } from '@fleetflame/profile';
import type { Command } from 'commander';
import { Config } from '../config/config.ts';
import { ParentChannel } from '../parent/parent-channel.ts';
import { LIMITS, runServer } from '../server/run-server.ts';

/** The server of `up` as the child of a parent that root started, with no rights but its user's. Nobody calls it by hand. */
export function addUpServer(program: Command): void {
  program
    .command('up-server', { hidden: true })
    .argument('[data]', 'for who looks at processes: it is among the settings')
    .action(run);
}

async function run(): Promise<void> {
  if (process.send === undefined)
    throw new FleetflameError('invalid_input', 'up-server is started by up, which tells it its settings.');
  const channel = new ParentChannel();
  try {
    await serve(channel);
  } finally {
    channel.close();
  }
}

async function serve(channel: ParentChannel): Promise<void> {
  const start = await channel.started;
  const config = Config.restore('up', start.settings, LIMITS);
  const { server, url, port } = await runServer('up', config, {
    agent: () => channel,
    port: start.port,
    ...(start.isPrivileged ? { portFrom: channel.askForPort } : {}),
  });
  channel.tell({ type: 'listening', url, port });
  // The next start does not compile, whatever ends this one.
  flushCompileCache();
  await channel.stopped;
  await server.close();
}

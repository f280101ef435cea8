import { flushCompileCache } from 'node:module';
import { FleetflameError } from '@fleetflame/profile';
import type { Command } from 'commander';
import { Config } from '../config/config.ts';
import { ParentChannel } from '../parent/parent-channel.ts';
import { LIMITS, runServer, type RunningServer } from '../server/run-server.ts';

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
  const { server, url, port } = await serve(channel, start);
  channel.tell({ type: 'listening', url, port });
  // The next start does not compile, whatever ends this one.
  flushCompileCache();
  await channel.stopped;
  await server.close();
}

async function serve(
  channel: ParentChannel,
  { settings, port, isPrivileged }: Awaited<ParentChannel['started']>,
): Promise<RunningServer> {
  try {
    const config = Config.restore('up', settings, LIMITS);
    const portFrom = isPrivileged ? { portFrom: channel.askForPort } : {};
    return await runServer('up', config, { agent: () => channel, port, ...portFrom });
  } catch (error) {
    // A start that is refused ends: the parent waits for the exit code, and the channel to it would keep this process.
    process.channel?.unref();
    throw error;
  }
}

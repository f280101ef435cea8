/**
 * What `up` becomes when root starts it: a small process that starts the server and the agent with what each needs of
 * root's rights, and starts again what ends. It is started anew for that (process.execve), with this file as its program:
 * nothing of server, store or agent is in its memory. docs/decisions/0021 says why.
 */
import { closeSync } from 'node:fs';
import { openAgentHome } from '../privileges/agent-home.ts';
import { AgentProcess } from '../server/agent-process.ts';
import { plainLog, type PlainLog } from './plain-log.ts';
import { PLAN_VARIABLE, type Plan } from './plan.ts';
import { ServerChild } from './server-child.ts';

/** Ended by a signal that somebody sent twice, as shells count it. */
const TWICE = 130;

async function runParent(plan: Plan): Promise<number> {
  const log = plainLog('parent', plan.logLevel);
  let serverUrl = '';
  const agent = agentOf(plan, log, () => serverUrl);
  const server = new ServerChild(plan.server, agent, log);
  const stopped = stopSignal(() => {
    log.warn({}, 'a second signal: ending without waiting');
    server.kill();
    agent.kill();
    process.exit(TWICE);
  });
  server.start();
  const first = await Promise.race([server.started, stopped]);
  if (first?.type === 'ended') return first.code;
  if (first?.type === 'up') {
    serverUrl = first.url.replace('0.0.0.0', '127.0.0.1');
    agent.start();
    if (typeof plan.agent === 'object' && plan.agent.reloads) process.on('SIGHUP', () => agent.reload());
    say([`Fleetflame is up: ${first.url}`, ...plan.lines]);
  }
  const code = (await Promise.race([server.ended, stopped])) ?? 0;
  say(['Stopping: sending the last window ...']);
  await agent.stop();
  await server.stop();
  say(['Stopped.']);
  return code;
}

function agentOf(plan: Plan, log: PlainLog, serverUrl: () => string): AgentProcess {
  if (typeof plan.agent === 'string') return AgentProcess.unavailable(log, plan.agent);
  const { command, env, dataDir, arguments: rest } = plan.agent;
  const home = openAgentHome(dataDir);
  if (home === undefined) throw new Error(`${dataDir}/agent is not a directory of root's any more`);
  process.once('exit', () => closeSync(home));
  return new AgentProcess({
    command: () => [...command, `--server=${serverUrl()}`, ...rest],
    env,
    // Where it writes is this very directory, whatever its name leads to later.
    cwd: `/proc/${process.pid}/fd/${home}`,
    log,
  });
}

/** Resolves at the first SIGINT or SIGTERM. */
async function stopSignal(onSecond: () => void): Promise<undefined> {
  await new Promise<void>((resolve) => {
    let stopping = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) onSecond();
        stopping = true;
        resolve();
      });
    }
  });
  return undefined;
}

function say(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

if (import.meta.main) {
  // Nobody reads what it says: it goes on.
  process.stdout.on('error', () => {});
  const text = process.env[PLAN_VARIABLE];
  // The launcher has it compiled so.
  if (text === undefined) process.exit(0);
  Reflect.deleteProperty(process.env, PLAN_VARIABLE);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- make-plan.ts wrote it
  process.exit(await runParent(JSON.parse(text) as Plan));
}

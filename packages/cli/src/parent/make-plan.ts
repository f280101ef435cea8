import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetflameError } from '@fleetflame/profile';
import type { CatalogConfig } from '@fleetflame/store';
import type { Config } from '../config/config.ts';
import { invalid } from '../config/setting.ts';
import { storePlace } from '../config/store-place.ts';
import { asUser, withAgentCapabilities } from '../privileges/confine.ts';
import { findProgram } from '../privileges/find-program.ts';
import { prepareAgentHome } from '../privileges/prepare-agent-home.ts';
import { inMounts, planReach } from '../privileges/reach.ts';
import {
  DEFAULT_USER,
  ensureSystemUser,
  findUser,
  namelessUser,
  ROOT,
  type SystemUser,
} from '../privileges/system-user.ts';
import { isServersEntry, markAsRoots, takeOverCatalog, takeOverData } from '../privileges/take-over.ts';
import { withoutStaleMap } from '../privileges/without-stale-map.ts';
import { agentRuntime } from '../server/agent-runtime.ts';
import { parseListen } from '../server/one-port.ts';
import { CLOSE_GRACE_MS } from '../server/server.ts';
import { PLAN_VARIABLE, type Plan } from './plan.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
/** All that the program consists of: the server's user has to get there. */
const CODE = fileURLToPath(new URL('../../../..', import.meta.url));
/** Where mounts are put together; empty for everybody else. */
const STAGE = '/run/fleetflame/stage';
/** Beyond what the server allows itself to answer what is running, and to close its store. */
const STOP_MARGIN_MS = 20_000;

export interface PlanOptions {
  readonly config: Config;
  /** Of the agent, after --server and --spool; undefined: --no-agent. */
  readonly agentArguments: readonly string[] | undefined;
  readonly lines: readonly string[];
}

/**
 * Makes ready what root alone can (the user, who owns what, how the user gets to it) and says how server and agent are to
 * be started. Throws FleetflameError that says what to do where it cannot be.
 */
export function makePlan({ config, agentArguments, lines }: PlanOptions): Plan {
  const place = storePlace(config);
  const dataDir = existing(place.dataDir ?? '');
  const catalog = catalogFile(place.catalog);
  const user = chooseUser(config, dataDir);
  const taken = giveTo(user, dataDir, catalog);
  if (agentArguments !== undefined) prepareAgentHome(dataDir);
  const { host, port } = parseListen(config.requiredText('listen'), config.nameOf('listen'));
  const confined = confineServer(user, dataDir, catalog);
  const compileCache = join(dataDir, 'compile-cache');
  const isRoot = user.uid === 0;
  return {
    logLevel: config.requiredText('logLevel'),
    server: {
      command: [
        ...withoutStaleMap(process.execArgv),
        ...confined,
        process.execPath,
        ...process.execArgv,
        MAIN,
        'up-server',
        dataDir,
      ],
      env: isRoot
        ? withoutPlan(process.env)
        : {
            ...withoutPlan(process.env),
            HOME: user.home,
            USER: user.name,
            LOGNAME: user.name,
            // That of root is not for it to write, and what it writes root must not run.
            NODE_COMPILE_CACHE: compileCache,
          },
      settings: [...config.said.filter(([key]) => key !== 'data'), ['data', dataDir, config.nameOf('data')]],
      host,
      port,
      isPrivileged: !isRoot && port > 0 && port < firstFreePort(),
      stopMs: config.number('drain') + CLOSE_GRACE_MS + STOP_MARGIN_MS,
    },
    agent:
      agentArguments === undefined
        ? 'the agent is turned off (--no-agent)'
        : agentPlan(agentArguments, dataDir, config.text('agent.filterFile')),
    lines: [
      ...lines,
      isRoot
        ? 'The server runs as root (--user root), with all of its rights.'
        : `The server runs as ${user.name} (uid ${user.uid}) without any capability${taken === 0 ? '' : `; ${taken} files that root had written are now its own`}.`,
    ],
  };
}

/** As make-plan has it, becomes the parent: this process goes on as a new program, with the same pid and arguments. */
export function becomeParent(plan: Plan): never {
  const parent = fileURLToPath(new URL('parent.ts', import.meta.url));
  const environment = { ...process.env, [PLAN_VARIABLE]: JSON.stringify(plan) };
  process.execve?.(
    process.execPath,
    [process.execPath, '--max-semi-space-size=1', parent, ...process.argv.slice(2)],
    environment,
  );
  throw new FleetflameError(
    'unsupported',
    `Node ${process.version} has no process.execve: use 22.15 or newer.`,
  );
}

function agentPlan(rest: readonly string[], dataDir: string, filterFile: string | undefined): Plan['agent'] {
  const { execArgv, env } = agentRuntime(process.execArgv, withoutPlan(process.env));
  // It starts in a directory of its own: what is said relative to this one is said in full.
  for (const name of ['FLEETFLAME_CONFIG', 'FLEETFLAME_AGENT_FILTER_FILE']) {
    const path = env[name];
    if (path !== undefined) env[name] = resolve(path);
  }
  return {
    command: [
      ...withoutStaleMap(execArgv),
      ...withAgentCapabilities(),
      process.execPath,
      ...execArgv,
      MAIN,
      'agent',
    ],
    arguments: ['--spool=spool', ...rest],
    env,
    dataDir,
    reloads: filterFile !== undefined,
  };
}

function chooseUser(config: Config, dataDir: string): SystemUser {
  const wanted = config.text('user');
  if (wanted !== undefined) {
    const user = wanted === DEFAULT_USER ? ensureSystemUser(wanted) : findUser(wanted);
    if (user !== undefined) return user.uid === 0 ? ROOT : user;
    throw invalid(config.nameOf('user'), `there is no user "${wanted}" on this host`);
  }
  const { uid, gid } = statSync(dataDir);
  if (uid === 0) return ensureSystemUser(DEFAULT_USER);
  return findUser(String(uid)) ?? namelessUser(uid, gid);
}

/** How many files of root's changed hands. */
function giveTo(user: SystemUser, dataDir: string, catalog: string | undefined): number {
  if (user.uid === 0) {
    markAsRoots(dataDir);
    return 0;
  }
  const ofCatalog = catalog === undefined ? 0 : takeOverCatalog(dirname(catalog), basename(catalog), user);
  return takeOverData(dataDir, catalog, user) + ofCatalog;
}

/** The command that the server's is put behind; tried here, so that what does not work is said before anything starts. */
function confineServer(user: SystemUser, dataDir: string, catalog: string | undefined): readonly string[] {
  const rights = asUser(user);
  if (user.uid === 0) return rights;
  const directories = [dataDir, ...(catalog === undefined ? [] : [dirname(catalog)])];
  const mounts = planReach(
    { code: realpathSync(CODE), files: [realpathSync(MAIN), realpathSync(process.execPath)], directories },
    user,
  );
  if (mounts.covered.length > 0) mkdirSync(STAGE, { recursive: true });
  const confined = [...inMounts(mounts, STAGE, findProgram('unshare', 'util-linux')), ...rights];
  const written = [
    ...directories,
    ...readdirSync(dataDir)
      .filter(isServersEntry)
      .map((name) => join(dataDir, name)),
    ...(catalog !== undefined && existsSync(catalog) ? [catalog] : []),
  ];
  const check =
    'test -r "$1" && test -x "$2" || { echo "$1"; exit 1; }; shift 2; for path; do test -w "$path" || { echo "$path"; exit 1; }; done';
  const [program = '', ...rest] = confined;
  const { status, stdout, stderr } = spawnSync(
    program,
    [...rest, '/bin/sh', '-c', check, 'sh', MAIN, process.execPath, ...written],
    { encoding: 'utf8', cwd: '/' },
  );
  if (status === 0) return confined;
  const failed = stdout.trim();
  const way = mounts.covered.length === 0 ? '' : ` (by way of mounts over ${mounts.covered.join(', ')})`;
  throw new FleetflameError(
    'unsupported',
    failed === ''
      ? `The server cannot be started as ${user.name}${way}: ${stderr.trim() || 'no reason is told'}. Put program and data where ${user.name} can get to them, name another user with --user, or go on as root with --user root.`
      : failed === MAIN
        ? `${user.name}, as whom the server runs, cannot read the program${way}: chmod -R go+rX ${CODE}, or go on as root with --user root.`
        : `${failed} is not ${user.name}'s to write, as whom the server runs: chown -R ${user.name} ${failed}, name its owner with --user, or go on as root with --user root.`,
  );
}

function existing(directory: string): string {
  mkdirSync(directory, { recursive: true });
  return realpathSync(directory);
}

function catalogFile(catalog: CatalogConfig | undefined): string | undefined {
  if (catalog?.engine !== 'sqlite') return undefined;
  return join(existing(dirname(catalog.path)), basename(catalog.path));
}

/** Ports below are root's. */
function firstFreePort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024;
  }
}

function withoutPlan(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [PLAN_VARIABLE]: _, ...rest } = environment;
  return rest;
}

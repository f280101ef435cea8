import { visibleLines } from '@fleetflame/profile';
import { Command } from 'commander';
import { explain } from './client/connection.ts';
import { exitCode } from './client/exit-code.ts';
import { printError } from './client/output.ts';
import { addBlocks } from './commands/blocks.ts';
import { CLUSTER_ROLES, isClusterRole } from './commands/cluster-roles.ts';
import { addDiff } from './commands/diff.ts';
import { addDoctor } from './commands/doctor.ts';
import { addFlame } from './commands/flame.ts';
import { addJobs } from './commands/jobs.ts';
import { addPush } from './commands/push.ts';
import { addSeries } from './commands/series.ts';
import { addSymbols } from './commands/symbols.ts';
import { addTop } from './commands/top.ts';

/** The `fleetflame` command: every role and every client verb. */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('fleetflame')
    .description('Where is the CPU of our whole infrastructure going, now and at any moment in the past?')
    // It quotes arguments, which scripts fill with names.
    .configureOutput({ writeErr: (text) => process.stderr.write(visibleLines(text)) })
    .showHelpAfterError('(--help shows how to use it)')
    .addHelpText(
      'after',
      '\nAlso:\n  test                         set up and run all tests of this checkout\n  bench NAME                   run a benchmark of this checkout; bench --help lists them\n\nExamples:\n  fleetflame up\n  fleetflame top --last 5m\n  fleetflame flame --last 1h --selector \'{service_name="api"}\' --format pprof -o api.pb.gz',
    );
  // The roles bring the whole server along; a client verb starts without it.
  const verb = argv[2];
  const all = verb === undefined || verb.startsWith('-') || verb === 'help';
  if (all || verb === 'up') (await import('./commands/up.ts')).addUp(program);
  if (verb === 'up-server') (await import('./commands/up-server.ts')).addUpServer(program);
  if (all || verb === 'agent') (await import('./commands/agent.ts')).addAgent(program);
  const roles = Object.keys(CLUSTER_ROLES).filter(isClusterRole);
  for (const role of roles.filter((one) => all || one === verb)) {
    (await import('./commands/role.ts')).addRole(program, role);
  }
  if (all || verb === 'store') (await import('./commands/store.ts')).addStore(program);
  addDoctor(program);
  addTop(program);
  addFlame(program);
  addSeries(program);
  addDiff(program);
  addPush(program);
  addSymbols(program);
  addBlocks(program);
  addJobs(program);
  await program.parseAsync(argv);
}

// `fleetflame flame | head` closes the pipe early: that is how it is meant, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  // A server goes on when nobody reads what it prints.
  const verb = process.argv[2];
  if (verb !== 'up' && verb !== 'up-server' && verb !== 'agent' && !isClusterRole(verb)) process.exit(0);
});

try {
  await main(process.argv);
} catch (error) {
  const at = process.argv.indexOf('--server');
  const server = at > 0 ? process.argv[at + 1] : process.env['FLEETFLAME_SERVER'];
  printError(explain(error, server ?? 'http://127.0.0.1:7171'));
  process.exitCode = exitCode(error, process.argv[2]);
}

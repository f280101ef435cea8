import type { Command } from 'commander';
import { serverOption, addScopeOptions } from '../client/scope.ts';
import { parseCount } from './options.ts';
import { listUnnamed } from './symbols-list.ts';
import { showStatus } from './symbols-status.ts';

/** Which binaries have no names, why, and what to do about it. */
export function addSymbols(program: Command): void {
  const symbols = program
    .command('symbols')
    .description('binaries by unnamed CPU, with the reason and what to do; push debug files')
    .addHelpText(
      'after',
      '\nExamples:\n  fleetflame symbols --last 1h\n  fleetflame symbols push /usr/lib/debug/.build-id/ab/cdef.debug\n  fleetflame symbols status',
    );
  addScopeOptions(
    symbols
      .command('list', { isDefault: true })
      .description('binaries by CPU without function names: why, and what to do'),
    '1h',
  )
    .option('--limit <count>', 'how many binaries', parseCount('--limit', 1, 100_000), 20)
    .option('--json', 'for scripts: values are integers in the unit of the profile type')
    .action(listUnnamed);
  symbols
    .command('push')
    .description('upload binaries or debug files; profiles that are stored get their names too')
    .argument('<file...>', 'ELF binaries, debug files (.debug) or files that those share (dwz)')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    // Reading ELF files brings more along than the other verbs need.
    .action(
      async (files: readonly string[], options: { readonly server: string; readonly json?: boolean }) => {
        await (await import('./symbols-push.ts')).pushFiles(files, options);
      },
    );
  symbols
    .command('status')
    .description('what the server knows of binaries')
    .argument('[build-id...]', 'of these (default: all)')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(showStatus);
}

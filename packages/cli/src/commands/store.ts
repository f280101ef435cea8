import type { Command } from 'commander';
import { addAdopt } from './store-adopt.ts';
import { addRestoreCatalog } from './store-restore.ts';

/** A store whose server is not running. */
export function addStore(program: Command): void {
  const store = program.command('store').description('put a store in order whose servers are stopped');
  addRestoreCatalog(store);
  addAdopt(store);
}

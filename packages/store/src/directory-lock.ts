/**
 * One process per data directory. The lock is SQLite's: an exclusive transaction on an empty
 * database, which the kernel ends with the process, however it dies. There is no stale lock to
 * recognise, no pid that could have been reused, and no moment between looking and taking.
 *
 *   DIR/lock         the lock, never read or written
 *   DIR/lock.owner   who holds it, for the message to whoever comes second
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FleetflameError } from '@fleetflame/profile';

export class DirectoryLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  static take(directory: string): DirectoryLock {
    const owner = join(directory, 'lock.owner');
    const database = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
    try {
      database.exec('begin exclusive');
    } catch (error) {
      database.close();
      throw new FleetflameError(
        'unavailable',
        `${directory} is in use by another Fleetflame${describe(owner)}: stop it, or use another directory (--data).`,
        { cause: error },
      );
    }
    writeFileSync(owner, `pid ${process.pid} since ${new Date().toISOString()}\n`);
    return new DirectoryLock(database);
  }

  release(): void {
    this.#database.close();
  }
}

function describe(owner: string): string {
  try {
    return ` (${readFileSync(owner, 'utf8').trim()})`;
  } catch {
    // The owner is only a courtesy; the lock itself has spoken.
    return '';
  }
}

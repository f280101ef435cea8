import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';

/** Where root's tools are when PATH does not say so. */
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** The path of a program of the system; throws unsupported with the Debian package that has it. */
export function findProgram(name: string, debianPackage: string): string {
  for (const directory of `${process.env['PATH'] ?? ''}:${SYSTEM_PATH}`.split(':')) {
    if (!directory.startsWith('/')) continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one may have it.
    }
  }
  throw new FleetflameError(
    'unsupported',
    `There is no ${name} on this host, which starts processes with fewer rights: install it (Debian: ${debianPackage}), or keep those of root with --user root.`,
  );
}

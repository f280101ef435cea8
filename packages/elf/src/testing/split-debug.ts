/** A binary the way distributions ship it: stripped, its debug information in a file of its own. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface SplitBinary {
  readonly stripped: string;
  readonly debug: string;
}

/** `folder`/NAME is the stripped binary, with a .gnu_debuglink, and `folder`/.debug/NAME.debug what was taken out. */
export function splitDebug(path: string, folder: string, name = basename(path)): SplitBinary {
  const stripped = join(folder, name);
  const debug = join(folder, '.debug', `${name}.debug`);
  mkdirSync(join(folder, '.debug'), { recursive: true });
  copyFileSync(path, stripped);
  execFileSync('objcopy', ['--only-keep-debug', '--compress-debug-sections=zlib', path, debug]);
  execFileSync('objcopy', ['--strip-unneeded', `--add-gnu-debuglink=${debug}`, stripped]);
  return { stripped, debug };
}

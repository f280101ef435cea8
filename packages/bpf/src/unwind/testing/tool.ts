import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OPTIONS = ['-std=c++17', '-g', '-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers'];

/** Builds testing/NAME.cc with all of the unwinding code. Returns the path of the program. */
export function buildTool(name: string, directory: string, extra: readonly string[] = ['-O2']): string {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.cc'))
    .map((file) => `${folder}${file}`);
  const output = `${directory}/${name}`;
  const main = `${folder}testing/${name}.cc`;
  execFileSync('g++', [...OPTIONS, ...extra, ...sources, main, '-lz', '-o', output], { stdio: 'inherit' });
  return output;
}

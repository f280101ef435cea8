import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OPTIONS = ['-O2', '-g', '-Wall', '-Wextra', '-Wno-missing-field-initializers'];

/** Builds the walker, see walker.cc. Returns the path of the program. */
export function buildWalker(directory: string): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const unwind = fileURLToPath(new URL('../../unwind/', import.meta.url));
  const image = fileURLToPath(new URL('../../addon/table-image.cc', import.meta.url));
  const object = `${directory}/walk.o`;
  // The BPF program is written for clang, with pragmas for its target.
  const c = [
    '-Wno-unknown-attributes',
    '-Wno-ignored-attributes',
    '-Wno-unknown-pragmas',
    '-Wno-unused-parameter',
  ];
  execFileSync(
    'clang',
    [
      ...OPTIONS,
      ...c,
      '-std=gnu11',
      '-D__TARGET_ARCH_x86',
      `-I${here}shim`,
      '-c',
      `${here}walk.c`,
      '-o',
      object,
    ],
    { stdio: 'inherit' },
  );
  const sources = readdirSync(unwind).filter((name) => name.endsWith('.cc'));
  const output = `${directory}/walker`;
  execFileSync(
    'g++',
    [
      ...OPTIONS,
      '-std=gnu++20',
      `${here}walker.cc`,
      image,
      ...sources.map((name) => unwind + name),
      object,
      '-lz',
      '-o',
      output,
    ],
    { stdio: 'inherit' },
  );
  return output;
}

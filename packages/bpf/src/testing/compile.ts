import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Compiles one of programs/NAME.c with frame pointers. Returns the path of the output. */
export function compileProgram(name: string, directory: string, extra: readonly string[] = []): string {
  const source = fileURLToPath(new URL(`programs/${name}.c`, import.meta.url));
  const output = `${directory}/${name}`;
  const options = [
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-mno-omit-leaf-frame-pointer',
    '-Wall',
    '-Werror',
  ];
  execFileSync('gcc', [...options, source, '-o', output, ...extra], { stdio: 'inherit' });
  return output;
}

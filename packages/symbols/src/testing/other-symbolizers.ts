/** Chains of addresses as other tools see them. */
import { spawnSync } from 'node:child_process';
import type { SourceFrame } from './source-frame.ts';

const MAX_OUTPUT_BYTES = 1024 ** 3;

function run(command: string, args: readonly string[], addresses: readonly number[]): string {
  const { stdout, error } = spawnSync(command, args, {
    input: addresses.map((address) => `0x${address.toString(16)}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
    // Nobody is asked over the network.
    env: { PATH: process.env['PATH'] ?? '', DEBUGINFOD_URLS: '' },
  });
  // eu-addr2line answers with status 1 where it does not know a line.
  if (error !== undefined) throw error;
  return stdout;
}

/** "file:line", "file:line:column", "??:0"; file names may have colons. */
function frame(name: string, place: string): SourceFrame {
  const match = /^(.*?):(\d+)(?::\d+)?$/.exec(place);
  const file = match?.[1] ?? '';
  return {
    name: name === '??' ? '' : name,
    file: file === '??' ? '' : file,
    line: Number(match?.[2] ?? 0),
  };
}

/** elfutils: eu-addr2line -f -i. */
export function elfutilsChains(path: string, addresses: readonly number[]): SourceFrame[][] {
  const chains: SourceFrame[][] = [];
  let name: string | undefined;
  for (const line of run('eu-addr2line', ['-f', '-i', '-a', '-e', path], addresses).split('\n')) {
    if (/^0x[0-9a-f]{16}$/.test(line)) chains.push([]);
    else if (name === undefined) name = line.replace(/ inlined at .* in .*$/, '');
    else {
      chains.at(-1)?.push(frame(name, line));
      name = undefined;
    }
  }
  return chains;
}

/** LLVM: llvm-symbolizer. */
export function llvmChains(path: string, addresses: readonly number[]): SourceFrame[][] {
  const args = [`--obj=${path}`, '--inlines', '--functions=linkage', '--no-demangle', '--output-style=LLVM'];
  return run('llvm-symbolizer', args, addresses)
    .split('\n\n')
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.trim().split('\n');
      return Array.from({ length: lines.length >> 1 }, (_, at) =>
        frame(lines[at * 2] ?? '', lines[at * 2 + 1] ?? ''),
      );
    });
}

/** Compares function, file, line and inlined calls of random addresses with what other tools say. See README.md. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import {
  compareChains,
  DEBUG_PROGRAMS,
  debugTable,
  DIFFERENCES,
  elfutilsChains,
  llvmChains,
  randomAddresses,
  RUST_PROGRAMS,
  type ChainComparison,
} from '@fleetflame/symbols/testing';
import { describeMachine } from '../overhead/machine.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    addresses: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
});
const count = Number(values.addresses);
const seed = Number(values.seed);

/** Separate debug file of a library of this machine, as Debian's -dbg packages install it. */
function debugFileOf(path: string): string | undefined {
  const notes = execFileSync('readelf', ['-nW', path], { encoding: 'utf8' });
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? '';
  const file = `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
  return existsSync(file) ? file : undefined;
}

function* subjects(): Iterable<readonly [string, string]> {
  if (positionals.length > 0) {
    for (const path of positionals) yield [basename(path), realpathSync(path)];
    return;
  }
  for (const [name, program] of Object.entries(DEBUG_PROGRAMS)) yield [name, buildProgram(program)];
  for (const [name, program] of Object.entries(RUST_PROGRAMS)) yield [name, buildProgram(program)];
  yield ['Go', buildProgram(PROGRAMS.go)];
  yield ['Go, linked with C', buildProgram(PROGRAMS.goExternal)];
  for (const library of ['libc.so.6', 'libm.so.6', 'ld-linux-x86-64.so.2']) {
    const file = debugFileOf(realpathSync(`/lib/x86_64-linux-gnu/${library}`));
    if (file !== undefined) yield [`${library} (libc6-dbg)`, file];
  }
}

function explained({ counts }: ChainComparison): string {
  const { equal, ...others } = counts;
  const reasons = Object.entries(others).filter(
    ([name, times]) => times > 0 && !DIFFERENCES.some((one) => one === name),
  );
  return [`**${equal}**`, ...reasons.map(([name, times]) => `${times} ${name}`)].join(', ');
}

function unexplained({ counts }: ChainComparison): string {
  return DIFFERENCES.filter((one) => counts[one] > 0)
    .map((one) => `${counts[one]} ${one}`)
    .join(', ');
}

console.log(`${describeMachine()}; seed ${seed}, ${count} addresses of each.\n`);
console.log(
  '| binary | MB | rows | calls | llvm-symbolizer: equal | differences | eu-addr2line: equal | differences |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
const folder = mkdtempSync(join(tmpdir(), 'fleetflame-inlines-'));
for (const [name, path] of subjects()) {
  if (!name.includes(values.only)) continue;
  const { conversion, table } = await debugTable(path);
  const addresses = randomAddresses(table, count, seed);
  // The tools of Debian 12 cannot inflate zstd.
  const link = join(folder, 'binary');
  rmSync(link, { force: true });
  if (name.includes('zstd')) execFileSync('objcopy', ['--decompress-debug-sections', path, link]);
  else symlinkSync(path, link);
  const llvm = compareChains(table, path, addresses, llvmChains(link, addresses));
  const elfutils = compareChains(table, path, addresses, elfutilsChains(link, addresses));
  console.log(
    `| ${[
      name,
      (statSync(path).size / 1e6).toFixed(1),
      conversion.lineRows.toLocaleString('en'),
      conversion.inlines.toLocaleString('en'),
      explained(llvm),
      unexplained(llvm),
      explained(elfutils),
      unexplained(elfutils),
    ].join(' | ')} |`,
  );
  for (const example of llvm.examples) console.error(`  ${example}`);
}
rmSync(folder, { recursive: true });

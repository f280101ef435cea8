/**
 * Compares the unwind table of every ELF file of this machine with readelf, at every address, and
 * prints what the tables cost. See README.md, whose results it rewrites with --write.
 */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildTool, type Comparison, compareRows } from '@fleetflame/bpf/unwind/testing';
import { describeMachine } from '../overhead/machine.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
});
const ROOTS = positionals.length > 0 ? positionals : ['/usr/bin', '/usr/lib'];
const README = fileURLToPath(new URL('README.md', import.meta.url));
const RESULTS_FROM = '<!-- results -->';
const ELF_MAGIC = '\x7fELF';
/** Named in the table of results when they are there; then the largest tables. */
const NAMED = [
  'ld-linux-x86-64.so.2',
  'libc.so.6',
  'bash',
  'perl',
  'python3.11',
  'libstdc++.so.6.0.30',
  'libcrypto.so.3',
  'postgres',
];
const LARGEST = 8;

function* files(path: string, seen: Set<string>): Generator<string> {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return;
  if (entry.isFile()) {
    const identity = `${entry.dev}:${entry.ino}`;
    if (!seen.has(identity) && isElf(path)) yield path;
    seen.add(identity);
  } else if (entry.isDirectory()) {
    for (const child of readdirSync(path, { withFileTypes: true })) {
      if (!child.isSymbolicLink()) yield* files(`${path}/${child.name}`, seen);
    }
  }
}

function isElf(path: string): boolean {
  const file = openSync(path, 'r');
  const magic = Buffer.alloc(ELF_MAGIC.length);
  readSync(file, magic);
  closeSync(file);
  return magic.toString('latin1') === ELF_MAGIC;
}

class Totals {
  files = 0;
  readelfRows = 0;
  compared = 0;
  codeBytes = 0;
  rows = 0;
  tableBytes = 0;
  milliseconds = 0;
  differences = 0;
  readonly refused = new Map<string, string[]>();
  readonly exceptions = new Map<string, { ranges: number; files: Set<string> }>();
  readonly tables: Comparison[] = [];

  add(comparison: Comparison): void {
    const { path, summary } = comparison;
    this.files++;
    this.readelfRows += comparison.readelfRows;
    this.compared += comparison.compared;
    this.codeBytes += comparison.comparedBytes;
    this.differences += comparison.differing;
    this.milliseconds += summary.milliseconds;
    for (const [name, ranges] of Object.entries(comparison.exceptions)) {
      const known = this.exceptions.get(name) ?? { ranges: 0, files: new Set() };
      known.ranges += ranges;
      known.files.add(path);
      this.exceptions.set(name, known);
    }
    if (summary.result !== 'none') {
      this.refused.set(summary.result, [...(this.refused.get(summary.result) ?? []), path]);
      return;
    }
    this.rows += summary.rows;
    this.tableBytes += summary.bytes;
    this.tables.push(comparison);
  }
}

const number = (value: number): string => Math.round(value).toLocaleString('en');

function printOne({ path, summary, compared, differing, differences, exceptions }: Comparison): void {
  const counts = `${number(summary.rows)} rows ${number(summary.rules)} rules ${number(summary.bytes)} B ${summary.milliseconds.toFixed(1)} ms`;
  const notes = Object.entries(exceptions).map(([name, ranges]) => `${ranges} × ${name}`);
  const result = summary.result === 'none' ? counts : `refused: ${summary.result}`;
  console.log(
    `${path}: ${result}; ${number(compared)} ranges compared, ${differing} differ; ${notes.join(', ')}`,
  );
  for (const { start, end, expected, ours } of differences) {
    console.log(`  DIFFERS ${start.toString(16)}-${end.toString(16)} readelf: ${expected} | ours: ${ours}`);
  }
}

function markdown(totals: Totals): string {
  const lines = [
    `${describeMachine()}; ${ROOTS.join(' and ')}:`,
    '',
    `- **${number(totals.files)} ELF files**, ${number(totals.tables.length)} with a table, ${number(totals.readelfRows)} rows of readelf`,
    `- **${number(totals.compared)} ranges compared**, ${number(totals.codeBytes)} bytes of code, **${totals.differences} unexplained differences**`,
    `- ${number(totals.rows)} rows of ours, ${number(totals.tableBytes)} bytes: ${(totals.tableBytes / totals.rows).toFixed(2)} per row`,
    `- ${number(totals.milliseconds)} ms to make all of them, ${(totals.milliseconds / totals.tables.length).toFixed(1)} ms per table`,
    '',
    '| exception | ranges | files |',
    '| --- | --- | --- |',
    ...[...totals.exceptions].map(
      ([name, { ranges, files: paths }]) => `| ${name} | ${number(ranges)} | ${paths.size} |`,
    ),
    '',
    '| no table because | files | for example |',
    '| --- | --- | --- |',
    ...[...totals.refused].map(
      ([name, paths]) =>
        `| ${name} | ${paths.length} | ${paths
          .slice(0, 3)
          .map((path) => basename(path))
          .join(', ')} |`,
    ),
    '',
    '| binary | functions | rows | rules | table | made in | highest memory |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...shown(totals).map(
      ({ path, summary }) =>
        `| ${basename(path)} | ${number(summary.functions)} | ${number(summary.rows)} | ${number(summary.rules)} | ` +
        `${number(summary.bytes)} B | ${summary.milliseconds.toFixed(1)} ms | ${number(summary.peakBytes)} B |`,
    ),
  ];
  return lines.join('\n');
}

function shown(totals: Totals): Comparison[] {
  const named = NAMED.flatMap((name) =>
    totals.tables.filter(({ path }) => basename(path) === name).slice(0, 1),
  );
  const bySize = [...totals.tables].sort((a, b) => b.summary.bytes - a.summary.bytes).slice(0, LARGEST);
  return [...new Set([...named, ...bySize])].sort((a, b) => a.summary.bytes - b.summary.bytes);
}

const directory = mkdtempSync(`${tmpdir()}/fleetflame-unwind-bench-`);
const totals = new Totals();
try {
  const tool = buildTool('dump-rows', directory);
  const seen = new Set<string>();
  for (const root of ROOTS) {
    for (const path of files(root, seen)) {
      const comparison = await compareRows(tool, path);
      totals.add(comparison);
      printOne(comparison);
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
const results = markdown(totals);
console.log(`\n${results}`);
if (values.write) {
  const [head] = readFileSync(README, 'utf8').split(RESULTS_FROM);
  writeFileSync(README, `${head}${RESULTS_FROM}\n\n${results}\n`);
}
process.exitCode = totals.differences > 0 ? 1 : 0;

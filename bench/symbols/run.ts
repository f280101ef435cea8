/** What symbols cost: cutting a binary down, converting it, loading its table, looking addresses up. See README.md. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bufferSource, compactElf, ElfFile } from '@fleetflame/elf';
import { convertBinary, decodeSymbolTable, type Conversion, type SymbolTable } from '@fleetflame/symbols';

const LOOKUPS = 1_000_000;

/** Milliseconds of CPU time of this process and of its children that have ended. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  // Behind the name, which may have spaces: state is field 3, children's user and system time are 16 and 17.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (user + system) / 1000 + (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
}

/** sysconf(_SC_CLK_TCK) is 100 on Linux. */
const MS_PER_TICK = 10;

/** The least CPU time of several runs: other work on the machine fills caches, and only ever makes a run longer. */
async function shortest(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = cpuMs();
    await work();
    times.push(cpuMs() - start);
  }
  return Math.min(...times);
}

/** Addresses spread evenly over the ranges, in an order that no cache foresees. */
function addresses(table: SymbolTable): Float64Array {
  const { base, starts, lengths } = table.columns;
  let state = 12_345;
  return Float64Array.from({ length: LOOKUPS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const range = state % starts.length;
    return base + (starts[range] ?? 0) + (state % (lengths[range] ?? 1));
  });
}

async function measure(path: string, withDebug: boolean): Promise<string[]> {
  const bytes = readFileSync(path);
  const source = bufferSource(bytes);
  const buildId = ElfFile.parse(source).identity ?? '';
  const compact = compactElf(source, { identity: buildId, debugSections: withDebug });
  const file = join(folder, 'upload');
  writeFileSync(file, compact);
  const options = withDebug ? { debug: { path: file } } : {};
  const convert = (): Promise<Conversion> => convertBinary(bufferSource(compact), buildId, options);
  const convertMs = await shortest(convert);
  const conversion = await convert();
  if (conversion.problem !== '') throw new Error(`${path}: ${conversion.problem}`);
  const loadMs = await shortest(() => decodeSymbolTable(conversion.table));
  const table = await decodeSymbolTable(conversion.table);
  const wanted = addresses(table);
  const lookupMs = await shortest(() => {
    let missed = 0;
    for (const address of wanted) if (table.lookup(address) < 0) missed++;
    if (missed > 0) throw new Error(`${missed} addresses were not found`);
  });
  const position = { call: 0, file: 0, line: 0 };
  let lines = 0;
  const locateMs = await shortest(() => {
    for (const address of wanted) {
      table.locate(address, position);
      lines += position.line;
    }
  });
  const hasLines = lines > 0;
  const { source: columns } = table.columns;
  const { lineRows, inlines } = conversion;
  return [
    basename(path),
    bytes.length.toLocaleString('en'),
    compact.length.toLocaleString('en'),
    `${table.size.toLocaleString('en')} (${conversion.source})`,
    lineRows.toLocaleString('en'),
    inlines.toLocaleString('en'),
    hasLines ? ((columns.rows.length + columns.blockStarts.length * 8) / lineRows).toFixed(2) : '',
    `${convertMs.toFixed(0)} ms`,
    conversion.table.length.toLocaleString('en'),
    table.sizeBytes.toLocaleString('en'),
    `${loadMs.toFixed(1)} ms`,
    `${(LOOKUPS / lookupMs / 1000).toFixed(1)} M/s`,
    hasLines ? `${(LOOKUPS / locateMs / 1000).toFixed(1)} M/s` : '',
  ];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '7' } },
});
const RUNS = Number(values.runs);
const folder = mkdtempSync(join(tmpdir(), 'fleetflame-symbols-bench-'));
const paths =
  positionals.length > 0 ? positionals : [process.execPath, '/lib/x86_64-linux-gnu/libc.so.6', '/usr/bin/go'];
console.log(
  '| binary | bytes | uploaded | functions | rows | calls | bytes a row | converted in | table, stored | table, in memory | loaded in | functions found | lines found |',
);
console.log(`|${' --- |'.repeat(13)}`);
for (const path of paths) {
  const real = realpathSync(path);
  const names = ElfFile.parse(bufferSource(readFileSync(real))).sections.map((one) => one.name);
  if (names.some((name) => /^\.z?debug_info$/.test(name))) {
    console.log(`| ${(await measure(real, false)).join(' | ')} |`);
  }
  console.log(`| ${(await measure(real, true)).join(' | ')} |`);
}
rmSync(folder, { recursive: true });

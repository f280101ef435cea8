/** What symbols cost: cutting a binary down, converting it, loading its table, looking addresses up. See README.md. */
import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { bufferSource, compactElf, ElfFile } from '@fleetflame/elf';
import { convertBinary, decodeSymbolTable, type SymbolTable } from '@fleetflame/symbols';

const RUNS = 7;
const LOOKUPS = 1_000_000;

/** What else runs on the machine only ever makes a run longer. */
async function shortest(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
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

async function measure(path: string): Promise<string[]> {
  const bytes = readFileSync(path);
  const source = bufferSource(bytes);
  const compactMs = await shortest(() => compactElf(source));
  const compact = compactElf(source);
  const upload = bufferSource(compact);
  const buildId = ElfFile.parse(upload).identity ?? '';
  const convertMs = await shortest(() => convertBinary(upload, buildId));
  const conversion = await convertBinary(upload, buildId);
  const loadMs = await shortest(() => decodeSymbolTable(conversion.table));
  const table = await decodeSymbolTable(conversion.table);
  const wanted = addresses(table);
  const lookupMs = await shortest(() => {
    let missed = 0;
    for (const address of wanted) if (table.lookup(address) < 0) missed++;
    if (missed > 0) throw new Error(`${missed} addresses were not found`);
  });
  return [
    basename(path),
    bytes.length.toLocaleString('en'),
    compact.length.toLocaleString('en'),
    `${compactMs.toFixed(0)} ms`,
    `${table.size.toLocaleString('en')} (${conversion.source})`,
    conversion.demangled.toLocaleString('en'),
    `${convertMs.toFixed(0)} ms`,
    conversion.table.length.toLocaleString('en'),
    table.sizeBytes.toLocaleString('en'),
    `${loadMs.toFixed(1)} ms`,
    `${(LOOKUPS / lookupMs / 1000).toFixed(1)} M/s`,
  ];
}

const paths =
  process.argv.length > 2
    ? process.argv.slice(2)
    : [process.execPath, '/lib/x86_64-linux-gnu/libc.so.6', '/usr/bin/go'];
console.log(
  '| binary | bytes | uploaded | cut down in | functions | demangled | converted in | table, stored | table, in memory | loaded in | lookups |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|---|');
for (const path of paths) console.log(`| ${(await measure(realpathSync(path))).join(' | ')} |`);

/**
 * A binary becomes a table: symbols of all sources are collected, overlaps are resolved, names are demangled, the
 * columns are written. Runs in a worker thread (conversion-worker.ts).
 */
import { ElfError, ElfFile, elfConstants, findGoPclntab, type ByteSource } from '@fleetflame/elf';
import type { SymbolColumns } from '../symbol-table.ts';
import { encodeSymbolTable } from '../encode-symbol-table.ts';
import { TABLE_LIMITS } from '../table-layout.ts';
import { CodeAreas } from './code-areas.ts';
import { demangle, type DemangleOptions } from './demangle.ts';
import { addElfSymbols } from './elf-symbols.ts';
import { addGoSymbols } from './go-symbols.ts';
import { addPltSymbols } from './plt-symbols.ts';
import { resolveRanges, type Ranges } from './resolve-ranges.ts';
import { SymbolList } from './symbol-list.ts';

/** Where names come from, the best first; `dwarf`: with lines and inlined calls. */
export type SymbolSource = 'dwarf' | 'symtab' | 'gopclntab' | 'dynsym' | 'none';

/** The file that holds what several debug files have in common (`dwz`), as .gnu_debugaltlink names it. */
export interface SupplementaryFile {
  readonly buildId: string;
  /** As the link has it, for people: it may be relative, and is never opened. */
  readonly path: string;
}

export interface Conversion {
  /** See docs/symbols-format.md. */
  readonly table: Uint8Array;
  /** Functions in the table. */
  readonly symbols: number;
  /** The best source that the binary had. */
  readonly source: SymbolSource;
  readonly demangled: number;
  readonly demangleFailed: number;
  /** Addresses at which the source line or the chain of inlined calls changes. */
  readonly lineRows: number;
  /** Different inlined calls: function, caller and line of the call. */
  readonly inlines: number;
  /** Set when debug information refers to a supplementary file that was not given: names are missing. */
  readonly missingSupplement: SupplementaryFile | undefined;
  /** Why the table says less than the file does, in one sentence; empty when all is well. */
  readonly problem: string;
  /** What could not be read or named, in sentences; empty when all is well. */
  readonly warnings: readonly string[];
}

/** @throws ElfError when the file is not a binary that is read here, or is not the one that it is said to be. */
export async function convertBinary(
  source: ByteSource,
  buildId: string,
  options: DemangleOptions = {},
): Promise<Conversion> {
  const file = ElfFile.parse(source);
  if (file.identity !== buildId) {
    throw new ElfError(
      `the file's build id is ${file.identity ?? 'missing'}, but it was uploaded for ${buildId}: not the same binary`,
    );
  }
  const warnings: string[] = [];
  const list = new SymbolList();
  const found = collect(file, list, warnings);
  const ranges = resolveRanges(list);
  const shown = functionsOf(ranges, list);
  const systemNames = Array.from(shown.symbols, (symbol) => list.name(symbol));
  const readable = await demangle(systemNames, options);
  if (readable.problem !== undefined) warnings.push(`${readable.problem} (${readable.failed} names)`);
  const shownNames = systemNames.map((systemName, index) => {
    const other = list.shownAs.get(shown.symbols[index]!);
    const name = other === undefined ? readable.names[index] : list.name(other);
    return name === systemName ? undefined : name;
  });
  const columns = columnsOf(list, ranges, shown, systemNames, shownNames, warnings);
  return {
    table: encodeSymbolTable(columns),
    symbols: columns.files.length,
    source: columns.files.length === 0 ? 'none' : found,
    demangled: readable.demangled,
    demangleFailed: readable.failed,
    lineRows: 0,
    inlines: 0,
    missingSupplement: undefined,
    problem: columns.files.length === 0 ? 'the binary has no function symbols: it is stripped' : '',
    warnings,
  };
}

/** A source that is broken costs its own names only. */
function collect(file: ElfFile, list: SymbolList, warnings: string[]): SymbolSource {
  if (file.sectionsProblem !== undefined) warnings.push(`sections: ${file.sectionsProblem.message}`);
  const areas = new CodeAreas(file);
  const attempt = (what: string, add: () => number): number => {
    try {
      return add();
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      warnings.push(`${what}: ${error.message}`);
      return 0;
    }
  };
  const tables = (type: number): number =>
    file.sections
      .filter((section) => section.type === type)
      // A binary has one of each; more would be read for nothing.
      .slice(0, 1)
      .reduce(
        (sum, section) => sum + attempt(section.name, () => addElfSymbols(file, section, areas, list)),
        0,
      );
  const symtab = tables(elfConstants.SHT_SYMTAB);
  const dynsym = tables(elfConstants.SHT_DYNSYM);
  const go = attempt("Go's function table", () => {
    const table = findGoPclntab(file);
    if (table === undefined) return 0;
    const hints = {
      runtimeText: findSymbol(list, 'runtime.text'),
      entry: file.entry,
      text: file.section('.text')?.address,
    };
    return addGoSymbols(table, hints, areas, list);
  });
  attempt('.plt', () => addPltSymbols(file, list));
  if (symtab > 0) return 'symtab';
  if (go > 0) return 'gopclntab';
  return dynsym > 0 ? 'dynsym' : 'none';
}

function findSymbol(list: SymbolList, name: string): number | undefined {
  const wanted = Buffer.from(name);
  for (let index = 0; index < list.length; index++) {
    if (list.nameBytes(index).equals(wanted)) return list.starts[index];
  }
  return undefined;
}

interface Shown {
  /** Of each function of the table: its symbol. In order of address. */
  readonly symbols: Uint32Array;
  /** Of each range: its function. */
  readonly functions: Uint32Array;
}

function functionsOf(ranges: Ranges, list: SymbolList): Shown {
  const ofSymbol = new Int32Array(list.length).fill(-1);
  const symbols = new Uint32Array(ranges.length);
  const functions = new Uint32Array(ranges.length);
  let count = 0;
  for (let range = 0; range < ranges.length; range++) {
    const symbol = ranges.symbols[range]!;
    if (ofSymbol[symbol]! < 0) {
      ofSymbol[symbol] = count;
      symbols[count++] = symbol;
    }
    functions[range] = ofSymbol[symbol]!;
  }
  return { symbols: symbols.subarray(0, count), functions };
}

/** Addresses are stored as 32 bits from the first. */
const MAX_SPAN = 0x1_0000_0000;

function columnsOf(
  list: SymbolList,
  ranges: Ranges,
  shown: Shown,
  systemNames: readonly string[],
  readable: readonly (string | undefined)[],
  warnings: string[],
): SymbolColumns {
  const base = ranges.length === 0 ? 0 : ranges.starts[0]!;
  let count = 0;
  while (count < ranges.length && ranges.ends[count]! - base < MAX_SPAN) count++;
  if (count < ranges.length) {
    warnings.push(`${ranges.length - count} ranges lie more than 4 GiB behind the first: they are left out`);
  }
  const strings = new StringColumn();
  const nameOffsets = strings.addAll(
    systemNames.length,
    (index) => readable[index] ?? systemNames[index] ?? '',
  );
  const systemNameOffsets = strings.addAll(systemNames.length, (index) =>
    readable[index] === undefined ? '' : (systemNames[index] ?? ''),
  );
  const fileOffsets = strings.addAll(list.files.length, (index) => list.files[index] ?? '');
  return {
    base,
    starts: Uint32Array.from({ length: count }, (_, range) => ranges.starts[range]! - base),
    lengths: Uint32Array.from({ length: count }, (_, range) => ranges.ends[range]! - ranges.starts[range]!),
    functions: shown.functions.subarray(0, count),
    nameOffsets,
    systemNameOffsets,
    files: Uint32Array.from(shown.symbols, (symbol) => list.fileIndices[symbol]!),
    lines: Uint32Array.from(shown.symbols, (symbol) => list.lines[symbol]!),
    fileOffsets,
    strings: strings.bytes(),
  };
}

class StringColumn {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** Offsets of the texts and of their end. */
  addAll(count: number, text: (index: number) => string): Uint32Array {
    const offsets = new Uint32Array(count + 1);
    for (let index = 0; index < count; index++) {
      offsets[index] = this.#length;
      const bytes = Buffer.from(text(index), 'utf8');
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      if (this.#length > TABLE_LIMITS.stringBytes) {
        throw new ElfError(
          `names of more than ${TABLE_LIMITS.stringBytes} bytes: this binary gets no symbols`,
        );
      }
    }
    offsets[count] = this.#length;
    return offsets;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#length);
  }
}

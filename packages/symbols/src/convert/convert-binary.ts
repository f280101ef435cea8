/**
 * A binary becomes a table: lines and inlined calls are read from its debug information by another process, symbols
 * of all sources are collected, overlaps are resolved, names are demangled, the columns are written. Runs in a worker
 * thread (conversion-worker.ts).
 */
import { ElfError, ElfFile, elfConstants, findGoPclntab, type ByteSource } from '@fleetflame/elf';
import { codeSegments, type CodeSegment } from '../code-segments.ts';
import { encodeSymbolTable } from '../encode-symbol-table.ts';
import { CodeAreas } from './code-areas.ts';
import { DebugFunctions } from './debug-functions.ts';
import { demangle, type DemangleOptions } from './demangle.ts';
import { addElfSymbols } from './elf-symbols.ts';
import { addGoSymbols } from './go-symbols.ts';
import { addPltSymbols } from './plt-symbols.ts';
import { LineSink } from './line-sink.ts';
import { readDebugLines, type DebugSource, type SupplementaryFile } from './read-debug-lines.ts';
import { resolveRanges } from './resolve-ranges.ts';
import { SymbolList } from './symbol-list.ts';
import { tableColumns } from './table-columns.ts';
import { tableFunctions } from './table-functions.ts';

/** Where names come from, the best first; `dwarf`: with lines and inlined calls. */
export type SymbolSource = 'dwarf' | 'symtab' | 'gopclntab' | 'dynsym' | 'none';

export interface ConvertOptions {
  readonly demangle?: DemangleOptions;
  /** Where debug information is read from. Default: it is not read. */
  readonly debug?: DebugSource;
}

export interface Conversion {
  /** See docs/symbols-format.md. */
  readonly table: Uint8Array;
  /** Where code is at other addresses than offsets; undefined: the file does not say. */
  readonly codeSegments?: readonly CodeSegment[] | undefined;
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
  options: ConvertOptions = {},
): Promise<Conversion> {
  const file = ElfFile.parse(source);
  if (file.identity !== buildId) {
    throw new ElfError(
      `the file's build id is ${file.identity ?? 'missing'}, but it was uploaded for ${buildId}: not the same binary`,
    );
  }
  const warnings: string[] = [];
  const list = new SymbolList();
  const { lines, missingSupplement, problem } = await readDebugLines(file, options.debug);
  const debug = lines === undefined ? undefined : new DebugFunctions(lines, list);
  const sink = new LineSink(lines);
  const found = collect(file, list, sink, warnings);
  const ranges = resolveRanges(list);
  const functions = tableFunctions(ranges, list, debug);
  const { systemNames, shownNames } = functions;
  const readable = await demangle(systemNames, options.demangle);
  if (readable.problem !== undefined) warnings.push(`${readable.problem} (${readable.failed} names)`);
  const names = systemNames.map((systemName, index) => {
    const name = shownNames[index] ?? readable.names[index] ?? withoutVersion(systemName);
    return name === systemName ? undefined : name;
  });
  const columns = tableColumns(ranges, functions, names, list.files, sink.sources(), warnings);
  const stripped = columns.starts.length === 0;
  return {
    table: encodeSymbolTable(columns),
    codeSegments: codeSegments(file),
    symbols: columns.files.length,
    source: stripped ? 'none' : sink.hasDebugLines ? 'dwarf' : found,
    demangled: readable.demangled,
    demangleFailed: readable.failed,
    lineRows: sink.rowCount,
    inlines: columns.source.callFunctions.length,
    missingSupplement,
    problem: stripped ? 'the binary has no function symbols: it is stripped' : problem,
    warnings,
  };
}

/** A source that is broken costs its own names only. */
function collect(file: ElfFile, list: SymbolList, sink: LineSink, warnings: string[]): SymbolSource {
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
    return addGoSymbols(table, hints, areas, list, sink);
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

/** .symtab says realpath@@GLIBC_2.3 where .dynsym says realpath; name@plt is ours. */
function withoutVersion(name: string): string | undefined {
  const at = name.indexOf('@');
  return at > 0 && !name.endsWith('@plt') ? name.slice(0, at) : undefined;
}

/** The functions of a table: those that own ranges, in the order of their addresses, then those that were only inlined. */
import type { DebugFunctions } from './debug-functions.ts';
import type { Ranges } from './resolve-ranges.ts';
import type { SymbolList } from './symbol-list.ts';

export interface TableFunctions {
  /** Of each range. */
  readonly ofRange: Uint32Array;
  /** Of each function of the debug information; -1 where it is not in the table. */
  readonly ofDebug: Int32Array;
  readonly systemNames: readonly string[];
  /** Names for people where they are known without demangling. */
  readonly shownNames: readonly (string | undefined)[];
  readonly files: readonly number[];
  readonly lines: readonly number[];
}

export function tableFunctions(
  ranges: Ranges,
  list: SymbolList,
  debug: DebugFunctions | undefined,
): TableFunctions {
  const builder = new Builder(list, debug);
  const ofRange = new Uint32Array(ranges.length);
  for (let range = 0; range < ranges.length; range++)
    ofRange[range] = builder.ofSymbol(ranges.symbols[range]!);
  for (const fn of debug?.lines.source.callFunctions ?? []) builder.ofInlined(fn);
  const { ofDebug, systemNames, shownNames, files, lines } = builder;
  return { ofRange, ofDebug, systemNames, shownNames, files, lines };
}

class Builder {
  readonly ofDebug: Int32Array;
  readonly systemNames: string[] = [];
  readonly shownNames: (string | undefined)[] = [];
  readonly files: number[] = [];
  readonly lines: number[] = [];
  readonly #list: SymbolList;
  readonly #debug: DebugFunctions | undefined;
  readonly #ofSymbol: Int32Array;

  constructor(list: SymbolList, debug: DebugFunctions | undefined) {
    this.#list = list;
    this.#debug = debug;
    this.#ofSymbol = new Int32Array(list.length).fill(-1);
    this.ofDebug = new Int32Array(debug?.lines.functionNames.length ?? 0).fill(-1);
  }

  ofSymbol(symbol: number): number {
    const known = this.#ofSymbol[symbol]!;
    if (known >= 0) return known;
    const list = this.#list;
    const own = this.#debug?.ofSymbol(symbol) ?? -1;
    // Pieces of one function have one symbol each.
    if (own >= 0 && this.ofDebug[own]! >= 0) return this.ofDebug[own]!;
    const shown = list.shownAs(symbol);
    const fn = this.#add(
      list.name(symbol),
      shown === undefined ? this.#debug?.shownName(own) : list.name(shown),
      list.fileIndices[symbol]!,
      list.lines[symbol]!,
    );
    this.#ofSymbol[symbol] = fn;
    const described = own >= 0 ? own : this.#described(symbol);
    if (described >= 0 && this.ofDebug[described]! < 0) this.ofDebug[described] = fn;
    return fn;
  }

  ofInlined(fn: number): void {
    if (this.ofDebug[fn]! >= 0 || this.#debug === undefined) return;
    const { functionFiles, functionLines } = this.#debug.lines;
    const names = [this.#debug.name(fn), this.#debug.shownName(fn)] as const;
    this.ofDebug[fn] = this.#add(...names, functionFiles[fn]!, functionLines[fn]!);
  }

  /** The function that the debug information says a symbol of .symtab is, if it has the same name. */
  #described(symbol: number): number {
    const details = this.#list.detailsFrom.get(symbol);
    const fn = details === undefined ? -1 : (this.#debug?.ofSymbol(details) ?? -1);
    return fn >= 0 && this.#debug?.name(fn) === this.#list.name(symbol) ? fn : -1;
  }

  #add(systemName: string, shownName: string | undefined, file: number, line: number): number {
    this.shownNames.push(shownName);
    this.files.push(file);
    this.lines.push(line);
    return this.systemNames.push(systemName) - 1;
  }
}

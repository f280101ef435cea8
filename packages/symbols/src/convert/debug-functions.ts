/**
 * Functions of the debug information among the symbols of a binary. They give files and lines to the symbols of their
 * addresses, and names where there is no symbol: names do not change when debug information comes later.
 */
import type { DebugLines } from './debug-lines.ts';
import { zeroEnded, type SymbolList } from './symbol-list.ts';

/** Below symbols with a size, and above labels. */
const DEBUG_RANK = 32;

export class DebugFunctions {
  readonly lines: DebugLines;
  readonly #first: number;

  /** Adds them, and their files: the first ones of the list, so that rows can name them by number. */
  constructor(lines: DebugLines, list: SymbolList) {
    if (list.files.length > 0) throw new Error('debug information comes before other sources of files');
    this.lines = lines;
    this.#first = list.length;
    for (const place of lines.files) list.files.push(this.#text(place));
    const nameTable = list.addNames(lines.strings);
    for (let range = 0; range < lines.rangeStarts.length; range++) {
      const fn = lines.rangeFunctions[range]!;
      const start = lines.base + lines.rangeStarts[range]!;
      const end = start + lines.rangeLengths[range]!;
      list.add({
        start,
        end,
        bound: end,
        rank: DEBUG_RANK,
        nameTable,
        nameOffset: lines.functionNames[fn]!,
        file: lines.functionFiles[fn]!,
        line: lines.functionLines[fn]!,
      });
    }
  }

  /** The function that a symbol of the list stands for; -1 for symbols of other sources. */
  ofSymbol(symbol: number): number {
    const range = symbol - this.#first;
    return range >= 0 && range < this.lines.rangeFunctions.length ? this.lines.rangeFunctions[range]! : -1;
  }

  name(fn: number): string {
    return this.#text(this.lines.functionNames[fn] ?? 0) || UNNAMED;
  }

  /** Name for people where it is not in the binary's name: "std::vector<int>::vector". */
  shownName(fn: number): string | undefined {
    return this.#text(this.lines.functionShownNames[fn] ?? 0) || undefined;
  }

  #text(place: number): string {
    return zeroEnded(this.lines.strings, place).toString('utf8');
  }
}

/** Its name stands in a file that is not here: Conversion.missingSupplement. */
const UNNAMED = '(unnamed)';

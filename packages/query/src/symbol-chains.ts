import type { SymbolLine, UnnamedReason } from '@fleetflame/profile';
import type { SymbolLookup } from './symbol-lookup.ts';

/** A function of a table, decoded once in a query. Only exports want more than its name and file. */
class NamedFunction {
  readonly name: string;
  readonly filename: string;
  readonly index: number;
  readonly table: SymbolLookup;

  constructor(table: SymbolLookup, index: number) {
    this.name = table.name(index);
    this.filename = table.file(index);
    this.table = table;
    this.index = index;
  }
}

class FunctionLine implements SymbolLine {
  readonly line: number;
  readonly #fn: NamedFunction;

  constructor(fn: NamedFunction, line: number) {
    this.#fn = fn;
    this.line = line;
  }

  get name(): string {
    return this.#fn.name;
  }

  get filename(): string {
    return this.#fn.filename;
  }

  get systemName(): string {
    return this.#fn.table.systemName(this.#fn.index);
  }

  get startLine(): number {
    return this.#fn.table.line(this.#fn.index);
  }
}

/** Lines that fit a key beside a call: 28 bits, for 25 bits of calls (TABLE_LIMITS of the symbols package). */
const LINES = 2 ** 28;

/**
 * Lines of the addresses of one binary, innermost inlined call first. Addresses of equal lines get the same array,
 * so that whoever walks a million of them sees at once that they are.
 */
export class SymbolChains {
  readonly #table: SymbolLookup;
  readonly #functions = new Map<number, NamedFunction>();
  /** By function of the address, then by innermost call and line. */
  readonly #chains = new Map<number, Map<number, readonly SymbolLine[]>>();
  readonly #position = { call: 0, file: 0, line: 0 };

  constructor(table: SymbolLookup) {
    this.#table = table;
  }

  at(address: number): readonly SymbolLine[] | UnnamedReason {
    const table = this.#table;
    const index = table.lookup(address);
    if (index < 0) return table.size === 0 ? 'no_symbols' : 'not_covered';
    const position = this.#position;
    table.locate(address, position);
    const { call } = position;
    const line = this.#lineIn(
      call === 0 ? index : table.callFunction(call - 1),
      position.file,
      position.line,
    );
    let ofFunction = this.#chains.get(index);
    if (ofFunction === undefined) {
      ofFunction = new Map();
      this.#chains.set(index, ofFunction);
    }
    const key = call * LINES + line;
    let chain = ofFunction.get(key);
    if (chain === undefined) {
      chain = this.#chain(index, call, line);
      ofFunction.set(key, chain);
    }
    return chain;
  }

  #chain(index: number, innermost: number, line: number): readonly SymbolLine[] {
    const table = this.#table;
    const chain: SymbolLine[] = [];
    let at = line;
    let call = innermost;
    while (call > 0) {
      const inner = call - 1;
      chain.push(new FunctionLine(this.#function(table.callFunction(inner)), at));
      call = table.callParent(inner);
      const caller = call === 0 ? index : table.callFunction(call - 1);
      at = this.#lineIn(caller, table.callFile(inner), table.callLine(inner));
    }
    chain.push(new FunctionLine(this.#function(index), at));
    return chain;
  }

  /**
   * The line, if it is one of the function's own file. Code of a macro or of an included text comes from another:
   * with that file the function would be split in two, and with this one its line would point to nowhere.
   */
  #lineIn(fn: number, file: number, line: number): number {
    return file !== 0 && file === this.#table.functionFile(fn) && line < LINES ? line : 0;
  }

  #function(index: number): NamedFunction {
    let known = this.#functions.get(index);
    if (known === undefined) {
      known = new NamedFunction(this.#table, index);
      this.#functions.set(index, known);
    }
    return known;
  }
}

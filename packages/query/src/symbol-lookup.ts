/** The functions, lines and inlined calls of one binary by address: SymbolTable of the symbols package. */
export interface SymbolLookup {
  /** Number of functions. */
  readonly size: number;
  /** Function that covers the ELF address, -1 when none does. */
  lookup(address: number): number;
  name(index: number): string;
  systemName(index: number): string;
  file(index: number): string;
  /** First line of the function, 0 is unknown. */
  line(index: number): number;
  /** Number of the function's file; 0 is unknown. */
  functionFile(index: number): number;
  /** Where in the source an address is; all 0 where that is unknown. */
  locate(address: number, into: SourcePosition): void;
  /** Function whose code a call inlined; calls are counted from 0. */
  callFunction(call: number): number;
  /** Call that it happens in, plus 1; 0: in the function of the address. */
  callParent(call: number): number;
  callFile(call: number): number;
  callLine(call: number): number;
}

interface SourcePosition {
  /** Innermost inlined call, plus 1; 0: none. */
  call: number;
  file: number;
  line: number;
}

import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import type { RecordSource } from './binary-record.ts';

/** What a table of each source is worth: a better one replaces it. */
export const SOURCE_QUALITY: Readonly<Record<RecordSource, SymbolQuality>> = {
  none: SymbolQuality.UNSPECIFIED,
  dynsym: SymbolQuality.DYNSYM,
  gopclntab: SymbolQuality.SYMTAB,
  symtab: SymbolQuality.SYMTAB,
  dwarf: SymbolQuality.DWARF,
  // Has no names of its own: a table of the same build id is better.
  supplementary: SymbolQuality.UNSPECIFIED,
};

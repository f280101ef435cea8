import type { SymbolTable } from '../symbol-table.ts';
import type { SourceFrame } from './source-frame.ts';

/** The chain of an address in a table, innermost first; empty where no function is known. */
export function ownChain(table: SymbolTable, address: number): SourceFrame[] {
  const outermost = table.lookup(address);
  if (outermost < 0) return [];
  const position = { call: 0, file: 0, line: 0 };
  table.locate(address, position);
  const chain: SourceFrame[] = [];
  let { call, file, line } = position;
  while (call > 0) {
    const inner = call - 1;
    chain.push({ name: table.systemName(table.callFunction(inner)), file: table.fileName(file), line });
    file = table.callFile(inner);
    line = table.callLine(inner);
    call = table.callParent(inner);
  }
  chain.push({ name: table.systemName(outermost), file: table.fileName(file), line });
  return chain;
}

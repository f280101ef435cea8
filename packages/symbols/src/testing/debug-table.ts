import { readFileSync } from 'node:fs';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { convertBinary, type Conversion } from '../convert/convert-binary.ts';
import type { DebugSource } from '../convert/read-debug-lines.ts';
import { decodeSymbolTable } from '../decode-symbol-table.ts';
import type { SymbolTable } from '../symbol-table.ts';

/** Converts a file with its debug information, as the server does. */
export async function debugTable(
  path: string,
  debug: Partial<DebugSource> = {},
): Promise<{ readonly conversion: Conversion; readonly table: SymbolTable }> {
  const source = bufferSource(readFileSync(path));
  const buildId = ElfFile.parse(source).identity ?? '';
  const conversion = await convertBinary(source, buildId, { debug: { path, ...debug } });
  return { conversion, table: await decodeSymbolTable(conversion.table) };
}

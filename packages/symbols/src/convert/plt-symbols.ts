/**
 * Stubs through which calls to other libraries go. The binary has no symbols for them, but entry i of the PLT belongs
 * to the i-th relocation of .rela.plt, which names what is called.
 */
import { elfConstants, type ElfFile } from '@fleetflame/elf';
import { zeroEnded, type SymbolList } from './symbol-list.ts';

const JUMP_SLOT: Readonly<Record<number, number>> = {
  [elfConstants.EM_X86_64]: 7,
  [elfConstants.EM_AARCH64]: 1026,
};
const ENTRY_BYTES = 16;
/** Bytes of the first entry, which calls the loader. */
const HEADER_BYTES: Readonly<Record<number, number>> = {
  [elfConstants.EM_X86_64]: 16,
  [elfConstants.EM_AARCH64]: 32,
};
/** Below every symbol that the binary itself has. */
const PLT_RANK = 64;
const MAX_PLT_ENTRIES = 1_000_000;

/** Adds `name@plt` for each entry whose place is certain: where the sizes of table and relocations agree. */
export function addPltSymbols(file: ElfFile, list: SymbolList): number {
  const relocations = file.section('.rela.plt');
  const symbols = relocations === undefined ? undefined : file.sections[relocations.link];
  const strings = symbols === undefined ? undefined : file.sections[symbols.link];
  if (relocations === undefined || symbols === undefined || strings === undefined) return 0;
  // Debug files have the section without its contents.
  if (relocations.type === elfConstants.SHT_NOBITS) return 0;
  const count = Math.floor(relocations.size / elfConstants.RELA_BYTES);
  if (count === 0 || count > MAX_PLT_ENTRIES) return 0;
  const header = HEADER_BYTES[file.machine] ?? 0;
  const tables = [
    { section: file.section('.plt'), header },
    { section: file.section('.plt.sec'), header: 0 },
  ].filter(({ section, header: skip }) => section?.size === skip + count * ENTRY_BYTES);
  if (tables.length === 0) return 0;
  const entries = viewOf(file.bytes(relocations));
  const symbolTable = viewOf(file.bytes(symbols));
  const names = Buffer.from(file.bytes(strings));
  const stubs: { readonly index: number; readonly name: Buffer }[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * elfConstants.RELA_BYTES;
    if (entries.getUint32(at + 8, true) !== JUMP_SLOT[file.machine]) continue;
    const symbol = entries.getUint32(at + 12, true) * elfConstants.SYMBOL_BYTES;
    if (symbol + elfConstants.SYMBOL_BYTES > symbolTable.byteLength) continue;
    const name = zeroEnded(names, symbolTable.getUint32(symbol, true));
    if (name.length > 0) stubs.push({ index, name });
  }
  const text = Buffer.concat(stubs.flatMap(({ name }) => [name, Buffer.from('@plt\0')]));
  const nameTable = list.addNames(text);
  let added = 0;
  for (const { section, header: skip } of tables) {
    let nameOffset = 0;
    for (const { index, name } of stubs) {
      const start = (section?.address ?? 0) + skip + index * ENTRY_BYTES;
      const end = start + ENTRY_BYTES;
      list.add({ start, end, bound: end, rank: PLT_RANK, nameTable, nameOffset });
      nameOffset += name.length + 5;
      added++;
    }
  }
  return added;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What Go's function table says of the stack, read a second time and in another way than the unwinder reads it. */
import { readFileSync } from 'node:fs';
import { bufferSource, ElfFile, findGoPclntab, parsePclntabHeader } from '@fleetflame/elf';

export interface GoStretch {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Bytes that the function has on the stack below its return address. */
  readonly depth: number;
}

/** Every stretch of every function with depths; undefined when there is no table. */
export function goDepths(path: string): { stretches: GoStretch[]; textStart: number } | undefined {
  const table = findGoPclntab(ElfFile.parse(bufferSource(readFileSync(path))));
  const header = table === undefined ? undefined : parsePclntabHeader(table.bytes, table.bytes.length);
  if (table === undefined || header === undefined || header.functabWidth !== 4) return undefined;
  const bytes = Buffer.from(table.bytes.buffer, table.bytes.byteOffset, table.bytes.byteLength);
  const stretches: GoStretch[] = [];
  for (let index = 0; index < header.functions; index++) {
    const record = header.functabOffset + bytes.readUInt32LE(header.functabOffset + index * 8 + 4);
    const depths = bytes.readUInt32LE(record + 16);
    if (depths === 0) continue;
    const nameAt = header.namesOffset + bytes.readUInt32LE(record + 4);
    const name = bytes.toString('utf8', nameAt, bytes.indexOf(0, nameAt));
    let at = header.pcOffset + depths;
    let start = header.textStart + bytes.readUInt32LE(record);
    let depth = -1;
    const varint = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes.readUInt8(at++);
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return value;
      }
    };
    for (let first = true; ; first = false) {
      const change = varint();
      if (change === 0 && !first) break;
      depth += change % 2 === 0 ? change / 2 : -(change + 1) / 2;
      const end = start + varint() * header.quantum;
      stretches.push({ name, start, end, depth });
      start = end;
    }
  }
  return { stretches, textStart: header.textStart };
}

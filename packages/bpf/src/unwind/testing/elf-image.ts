import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SECTION_BYTES = 64;
const CODE_ADDRESS = 0x10_0000n;
const NAMES = Buffer.from('\0.eh_frame\0');

export interface ImageOptions {
  /** Bytes of the executable segment; the file is at least as large, with holes for what is not written. */
  readonly codeBytes: number;
  readonly ehFrame: Uint8Array;
  /** How often the header table names the same executable segment, and the section table the same section. */
  readonly segments?: number;
  readonly sections?: number;
  /** Counts that the header states, if not the true ones. */
  readonly claimedSegments?: number;
  readonly claimedSections?: number;
}

/** Where code begins in every image. */
export const IMAGE_CODE = CODE_ADDRESS;

/** Where the section of frames begins in memory. */
export function frameAddressOf(codeBytes: number): bigint {
  return CODE_ADDRESS + BigInt(codeBytes) + 0x1000n;
}

/** Writes an x86-64 ELF file that says of itself what the options say. */
export function writeElfImage(path: string, options: ImageOptions): void {
  const { codeBytes, ehFrame, segments = 1, sections = 1 } = options;
  const framesAt = Math.max(codeBytes, HEADER_BYTES + segments * SEGMENT_BYTES);
  const namesAt = framesAt + ehFrame.length;
  const tableAt = namesAt + NAMES.length;
  const header = Buffer.alloc(HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  header.writeBigUInt64LE(BigInt(tableAt), 40);
  header.writeUInt16LE(SEGMENT_BYTES, 54);
  header.writeUInt16LE(options.claimedSegments ?? segments, 56);
  header.writeUInt16LE(SECTION_BYTES, 58);
  header.writeUInt16LE(options.claimedSections ?? sections + 1, 60);
  const segment = Buffer.alloc(SEGMENT_BYTES);
  segment.writeUInt32LE(1, 0);
  segment.writeUInt32LE(5, 4);
  segment.writeBigUInt64LE(CODE_ADDRESS, 16);
  segment.writeBigUInt64LE(BigInt(codeBytes), 32);
  segment.writeBigUInt64LE(BigInt(codeBytes), 40);
  const names = Buffer.alloc(SECTION_BYTES);
  names.writeUInt32LE(3, 4);
  names.writeBigUInt64LE(BigInt(namesAt), 24);
  names.writeBigUInt64LE(BigInt(NAMES.length), 32);
  const section = Buffer.alloc(SECTION_BYTES);
  section.writeUInt32LE(1, 0);
  section.writeUInt32LE(1, 4);
  section.writeBigUInt64LE(frameAddressOf(codeBytes), 16);
  section.writeBigUInt64LE(BigInt(framesAt), 24);
  section.writeBigUInt64LE(BigInt(ehFrame.length), 32);
  const file = openSync(path, 'w');
  writeSync(file, header, 0, header.length, 0);
  writeSync(file, Buffer.concat(Array.from({ length: segments }, () => segment)), 0, null, HEADER_BYTES);
  writeSync(file, ehFrame, 0, ehFrame.length, framesAt);
  writeSync(file, NAMES, 0, NAMES.length, namesAt);
  const table = Buffer.concat([names, ...Array.from({ length: sections }, () => section)]);
  writeSync(file, table, 0, table.length, tableAt);
  ftruncateSync(file, tableAt + table.length);
  closeSync(file);
}

/** Version 1, "zR", factors 1 and -8, return address in 16; pcrel sdata4; CFA = rsp+8, ra at CFA-8. */
const CIE_BODY = [1, 0x7a, 0x52, 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0];

export const CIE_BYTES = 8 + CIE_BODY.length;

/** Entries of an .eh_frame section, written one after the other into room that must suffice. */
export class FrameWriter {
  readonly bytes: Buffer;
  readonly #address: bigint;
  #at = 0;

  constructor(room: number, address: bigint) {
    this.bytes = Buffer.alloc(room);
    this.#address = address;
  }

  get length(): number {
    return this.#at;
  }

  cie(): number {
    const start = this.#at;
    this.bytes.writeUInt32LE(4 + CIE_BODY.length, start);
    this.bytes.set(CIE_BODY, start + 8);
    this.#at += CIE_BYTES;
    return start;
  }

  /** `cie`: where its CIE is said to be. Instructions are padded to four bytes. */
  fde(cie: number, code: bigint, codeBytes: number, instructions: Uint8Array): void {
    const start = this.#at;
    const padded = (1 + instructions.length + 3) & ~3;
    this.bytes.writeUInt32LE(12 + padded, start);
    this.bytes.writeUInt32LE((start + 4 - cie) >>> 0, start + 4);
    this.bytes.writeInt32LE(Number(code - (this.#address + BigInt(start + 8))), start + 8);
    this.bytes.writeUInt32LE(codeBytes, start + 12);
    this.bytes.set(instructions, start + 17);
    this.#at += 16 + padded;
  }

  done(): Uint8Array {
    return this.bytes.subarray(0, this.#at);
  }
}

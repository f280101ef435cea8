/**
 * One batch in the spool:
 *
 *   0          8         12      16        20           28             32
 *   │ FFLSPOOL │ version │ crc32 │ samples │ created ms │ payload size │ payload …
 *   │ 8 bytes  │ u32     │ u32   │ u32     │ f64        │ u32          │
 *
 * Little-endian. The CRC covers everything behind it: samples, created, size and payload. agent_id and seq are
 * in the file's name, so that the spool is read without opening files.
 */
import { crc32 } from 'node:zlib';

const MAGIC = Buffer.from('FFLSPOOL', 'latin1');
const VERSION = 1;
const CRC_AT = 12;
const SAMPLES_AT = 16;
const CREATED_AT = 20;
const SIZE_AT = 28;
export const SPOOL_HEADER_BYTES = 32;

const NAME = /^([A-Za-z0-9_-]{1,64})\.(\d{1,20})\.batch$/;
/** Wide enough that names sort as numbers do. */
const SEQ_DIGITS = 12;

export interface SpoolKey {
  readonly agentId: string;
  readonly seq: bigint;
}

export interface SpoolContents {
  /** What is lost when it is: its samples, and those whose loss it reports. */
  readonly samples: number;
  readonly createdMs: number;
  readonly payload: Uint8Array;
}

export function spoolFileName(key: SpoolKey): string {
  return `${key.agentId}.${key.seq.toString().padStart(SEQ_DIGITS, '0')}.batch`;
}

/** Undefined for names that are no batch's. */
export function parseSpoolFileName(name: string): SpoolKey | undefined {
  const match = NAME.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const seq = BigInt(match[2]);
  return seq < 1n << 64n ? { agentId: match[1], seq } : undefined;
}

export function encodeSpoolFile(contents: SpoolContents): Buffer {
  const { payload } = contents;
  const file = Buffer.alloc(SPOOL_HEADER_BYTES + payload.length);
  MAGIC.copy(file, 0);
  file.writeUInt32LE(VERSION, 8);
  file.writeUInt32LE(Math.min(contents.samples, 0xffff_ffff), SAMPLES_AT);
  file.writeDoubleLE(contents.createdMs, CREATED_AT);
  file.writeUInt32LE(payload.length, SIZE_AT);
  file.set(payload, SPOOL_HEADER_BYTES);
  file.writeUInt32LE(crc32(file.subarray(SAMPLES_AT)), CRC_AT);
  return file;
}

/** What is wrong with the file, as a sentence, or its contents. */
export function decodeSpoolFile(file: Buffer): SpoolContents | string {
  if (file.length < SPOOL_HEADER_BYTES) return `it has ${file.length} bytes, less than a header`;
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return 'it does not begin with FFLSPOOL';
  const version = file.readUInt32LE(8);
  if (version !== VERSION) return `it has version ${version}, this agent reads ${VERSION}`;
  const size = file.readUInt32LE(SIZE_AT);
  if (file.length !== SPOOL_HEADER_BYTES + size) {
    return `it has ${file.length - SPOOL_HEADER_BYTES} bytes of payload, its header says ${size}`;
  }
  if (crc32(file.subarray(SAMPLES_AT)) !== file.readUInt32LE(CRC_AT)) return 'its checksum does not match';
  return {
    samples: file.readUInt32LE(SAMPLES_AT),
    createdMs: file.readDoubleLE(CREATED_AT),
    payload: file.subarray(SPOOL_HEADER_BYTES),
  };
}

/**
 * The bytes of a jitdump file, of perf's "jitdump specification" version 1, in the byte order of the writer:
 *
 *   file    magic "JiTD" u32 | version u32 | size of this header u32 | machine u32 | 0 u32 | pid u32 |
 *           time u64 | flags u64 (1: times are not nanoseconds of CLOCK_MONOTONIC)
 *   record  id u32 | size of the record u32 | time u64 | ...
 *     LOAD 0   pid tid u32 | vma address size index u64 | name\0 | the code itself
 *     MOVE 1   pid tid u32 | vma old new size index u64
 *     DEBUG 2  address count u64 | count x { address u64 | line discriminator i32 | file\0 }
 *     CLOSE 3
 *     UNWINDING 4, and what later versions may have: not needed
 *
 * DEBUG comes before the LOAD that it belongs to.
 */

/** Told of what a jitdump says, in its order. Times are milliseconds of CLOCK_MONOTONIC, 0 when they are something else. */
export interface JitDumpListener {
  load(timeMs: number, address: number, size: number, index: number, name: string): void;
  move(timeMs: number, from: number, to: number, size: number, index: number): void;
  /** Source lines of the next load at `address`: those parts of a damaged record that make sense. */
  lines(address: number, lines: readonly JitLine[]): void;
}

export interface JitLine {
  /** Address of the first instruction of the line. */
  readonly address: number;
  readonly line: number;
  /** "" when it is none or not text. */
  readonly file: string;
}

/** Longest name kept, in bytes, as in perf maps. */
const MAX_NAME_BYTES = 512;
/** Longest path of a source file looked for. */
const MAX_FILE_BYTES = 4096;
/** A DEBUG record beyond this is passed over: 64 Ki lines of 16 bytes and a path, far beyond any function. */
const MAX_DEBUG_BYTES = 1 << 20;

const MAGIC = 0x4a695444;
const SWAPPED_MAGIC = 0x4454694a;
const VERSION = 1;
const FILE_HEADER_BYTES = 40;
const ARCHITECTURE_TIME = 1n;
const RECORD_HEADER_BYTES = 16;
const LOAD_BYTES = RECORD_HEADER_BYTES + 40;
const MOVE_BYTES = RECORD_HEADER_BYTES + 48;
const DEBUG_BYTES = RECORD_HEADER_BYTES + 16;
const DEBUG_LINE_BYTES = 16;
const NS_PER_MS = 1_000_000;

const LOAD = 0;
const MOVE = 1;
const DEBUG = 2;
const CLOSE = 3;

/** Reads a jitdump piece by piece, cut anywhere. No input makes it throw, or keep more than one record. */
export class JitDumpRecords {
  /** Records that were too short or too long for what they say they are; their rest was passed over. */
  badRecords = 0;
  /** Why nothing more is read: it is no jitdump, of another version, or its records do not fit together. */
  damage: 'not_jitdump' | 'version' | 'record_size' | undefined;
  /** The writer said that it is done. */
  closed = false;
  readonly #listener: JitDumpListener;
  #littleEndian = true;
  #hasTimes = true;
  #hasHeader = false;
  /** The beginning of what is not all there yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(listener: JitDumpListener) {
    this.#listener = listener;
  }

  /** Takes the next bytes of the file. Returns how many bytes after them are not wanted. */
  append(bytes: Buffer): number {
    if (this.damage !== undefined) return 0;
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at < data.length && this.damage === undefined) {
      const size = this.#hasHeader ? this.#record(data, at) : this.#fileHeader(data, at);
      if (size === 0) break;
      at += size;
    }
    this.#rest = Buffer.from(data.subarray(Math.min(at, data.length)));
    return Math.max(0, at - data.length);
  }

  /** Bytes of the header, 0 when it is not all there. */
  #fileHeader(data: Buffer, at: number): number {
    if (data.length - at < FILE_HEADER_BYTES) return 0;
    const magic = data.readUInt32LE(at);
    this.#littleEndian = magic === MAGIC;
    if (magic !== MAGIC && magic !== SWAPPED_MAGIC) return this.#giveUp('not_jitdump');
    if (this.#u32(data, at + 4) !== VERSION) return this.#giveUp('version');
    const size = this.#u32(data, at + 8);
    if (size < FILE_HEADER_BYTES || size > MAX_FILE_BYTES) return this.#giveUp('not_jitdump');
    const flags = this.#littleEndian ? data.readBigUInt64LE(at + 32) : data.readBigUInt64BE(at + 32);
    this.#hasTimes = (flags & ARCHITECTURE_TIME) === 0n;
    this.#hasHeader = true;
    return size;
  }

  /** Bytes of the record, 0 when not all of it that is wanted is there. */
  #record(data: Buffer, at: number): number {
    if (data.length - at < RECORD_HEADER_BYTES) return 0;
    const id = this.#u32(data, at);
    const size = this.#u32(data, at + 4);
    if (size < RECORD_HEADER_BYTES) return this.#giveUp('record_size');
    let wanted = Math.min(size, bytesWanted(id, size));
    if (data.length - at < wanted) {
      // A name that is all there will do: its code may be written later.
      const nameEnd = id === LOAD ? data.indexOf(0, at + LOAD_BYTES) : -1;
      if (nameEnd < 0) return 0;
      wanted = nameEnd + 1 - at;
    }
    const timeMs = this.#hasTimes ? this.#u64(data, at + 8) / NS_PER_MS : 0;
    const record = data.subarray(at, at + wanted);
    if (id === LOAD) this.#load(record, size, timeMs);
    else if (id === MOVE) this.#move(record, timeMs);
    else if (id === DEBUG) this.#lines(record, size);
    else if (id === CLOSE) this.closed = true;
    return size;
  }

  #load(record: Buffer, size: number, timeMs: number): void {
    const end = textEnd(record, LOAD_BYTES, MAX_NAME_BYTES);
    const address = record.length < LOAD_BYTES ? -1 : this.#u64(record, 32);
    const codeSize = record.length < LOAD_BYTES ? -1 : this.#u64(record, 40);
    if (end < 0 || !isRange(address, codeSize) || codeSize > size) {
      this.badRecords++;
      return;
    }
    const name = record.toString('utf8', LOAD_BYTES, end);
    this.#listener.load(timeMs, address, codeSize, this.#u64(record, 48), name);
  }

  #move(record: Buffer, timeMs: number): void {
    if (record.length < MOVE_BYTES) {
      this.badRecords++;
      return;
    }
    const [from, to, size, index] = [32, 40, 48, 56].map((at) => this.#u64(record, at));
    if (!isRange(from!, size!) || !isRange(to!, size!)) this.badRecords++;
    else this.#listener.move(timeMs, from!, to!, size!, index!);
  }

  #lines(record: Buffer, size: number): void {
    if (record.length < Math.max(DEBUG_BYTES, size)) {
      this.badRecords++;
      return;
    }
    const count = this.#u64(record, 24);
    const lines: JitLine[] = [];
    let at = DEBUG_BYTES;
    for (let i = 0; i < count; i++) {
      const fileAt = at + DEBUG_LINE_BYTES;
      const end = textEnd(record, fileAt, MAX_FILE_BYTES);
      if (end < 0 || record[end] !== 0) {
        this.badRecords++;
        break;
      }
      const line = this.#i32(record, at + 8);
      lines.push({ address: this.#u64(record, at), line, file: pathAt(record, fileAt, end) });
      at = end + 1;
    }
    this.#listener.lines(this.#u64(record, 16), lines);
  }

  #giveUp(damage: NonNullable<JitDumpRecords['damage']>): 0 {
    this.damage = damage;
    return 0;
  }

  #u32(data: Buffer, at: number): number {
    return this.#littleEndian ? data.readUInt32LE(at) : data.readUInt32BE(at);
  }

  #i32(data: Buffer, at: number): number {
    return this.#littleEndian ? data.readInt32LE(at) : data.readInt32BE(at);
  }

  /** Exact up to 2^53: addresses have 47 bits, with five-level paging 56 of which the lowest ones are zero. */
  #u64(data: Buffer, at: number): number {
    const low = this.#u32(data, this.#littleEndian ? at : at + 4);
    const high = this.#u32(data, this.#littleEndian ? at + 4 : at);
    return high * 0x1_0000_0000 + low;
  }
}

/** How much of a record has to be in memory at once. */
function bytesWanted(id: number, size: number): number {
  if (id === LOAD) return LOAD_BYTES + MAX_NAME_BYTES;
  if (id === MOVE) return MOVE_BYTES;
  return id === DEBUG && size <= MAX_DEBUG_BYTES ? size : RECORD_HEADER_BYTES;
}

function isRange(address: number, size: number): boolean {
  return address > 0 && size > 0 && Number.isSafeInteger(address + size);
}

/** Where a text ends: at its zero byte, or cut at `max` bytes. -1 when the record ends before. */
function textEnd(record: Buffer, from: number, max: number): number {
  const end = record.indexOf(0, from);
  if (from >= record.length || (end < 0 && record.length - from < max)) return -1;
  return end < 0 ? from + max : Math.min(end, from + max);
}

/** V8 writes whatever lies where a path has been: "" unless it is text without control characters. */
function pathAt(record: Buffer, from: number, end: number): string {
  const path = record.toString('utf8', from, end);
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return /[\u0000-\u001f\u007f\ufffd]/.test(path) ? '' : path;
}

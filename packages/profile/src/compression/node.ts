/** Compression in Node, by node:zlib. Packages reach it as `#compression`; bundles for browsers get browser.ts. */
import * as zlib from 'node:zlib';

import { giveBack } from '../block/give-back.ts';
import { FleetflameError } from '../errors.ts';

/**
 * Level 1 takes a third of level 3's time for three percent more bytes on profile columns. The frame
 * carries a checksum of its content, which decompression checks.
 */
export function zstdCompress(bytes: Uint8Array, level = 1): Uint8Array {
  const chunkBytes = chunkSize(bytes.length + (bytes.length >> 8));
  // Not an object literal in the call: the types of node:zlib do not know pledgedSrcSize yet.
  const options = {
    chunkSize: chunkBytes,
    // Sizes the compressor's tables for the input and puts its length into the frame.
    pledgedSrcSize: bytes.length,
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  };
  const out = zlib.zstdCompressSync(bytes, options);
  // In a chunk of its own, as large as the content: what is kept is copied out of it.
  if (out.buffer.byteLength !== chunkBytes) return out;
  const kept = new Uint8Array(out);
  giveBack(new Uint8Array(out.buffer));
  return kept;
}

/** Throws limit_exceeded when the content is larger than `maxBytes`, corrupt_data when it is broken. */
export function zstdDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decompress('zstd', 'corrupt_data', maxBytes, () =>
    zlib.zstdDecompressSync(bytes, {
      maxOutputLength: Math.max(1, maxBytes),
      chunkSize: chunkSize(maxBytes),
    }),
  );
}

/**
 * Output is collected in chunks of 16 KiB by default and then joined. One chunk that fits the whole
 * output (with room left, which tells node:zlib that it is complete) saves a copy. Capped, because a limit
 * is not a promise.
 */
function chunkSize(outputBytes: number): number {
  return Math.min(outputBytes + 256, 1 << 20);
}

export function gzip(bytes: Uint8Array): Uint8Array {
  return zlib.gzipSync(bytes);
}

/** Throws limit_exceeded when the content is larger than `maxBytes`, invalid_input when it is broken. */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decompress('gzip', 'invalid_input', maxBytes, () =>
    zlib.gunzipSync(bytes, {
      maxOutputLength: Math.max(1, maxBytes),
      chunkSize: chunkSize(Math.min(maxBytes, gzipSaysBytes(bytes))),
    }),
  );
}

/** What several compressed pieces one after another hold, and how many bytes behind them are none. */
export interface Pieces {
  readonly content: Uint8Array;
  readonly trailingBytes: number;
}

/**
 * A gzip file whose members are read one by one, so that what is no gzip behind the last one can be told
 * from damage. Throws as gunzip does; the first member must be whole.
 */
export function gunzipMembers(bytes: Uint8Array, maxBytes: number): Pieces {
  return pieces(bytes, maxBytes, (rest, room) => gunzipMember(rest, room));
}

/** All frames of a zstd file: zstdDecompress reads the first one. */
export function zstdFrames(bytes: Uint8Array, maxBytes: number): Pieces {
  return pieces(bytes, maxBytes, (rest, room) => {
    if (rest[0] !== 0x28 || rest[1] !== 0xb5) return undefined;
    let read = 0;
    const content = decompress('zstd', 'invalid_input', room, () => {
      const options = { maxOutputLength: Math.max(1, room), info: true };
      const piece = pieceOf(zlib.zstdDecompressSync(rest, options));
      read = piece.read;
      return piece.content;
    });
    return { content, read };
  });
}

interface Piece {
  readonly content: Uint8Array;
  /** Bytes that it took. */
  readonly read: number;
}

/** Of what node:zlib answers with `info`, which its types do not know. */
function pieceOf(result: object): Piece {
  if ('buffer' in result && result.buffer instanceof Uint8Array && 'engine' in result) {
    const { engine } = result;
    if (typeof engine === 'object' && engine !== null && 'bytesWritten' in engine) {
      return { content: result.buffer, read: Number(engine.bytesWritten) };
    }
  }
  throw new TypeError('node:zlib did not say how many bytes it read');
}

function pieces(
  bytes: Uint8Array,
  maxBytes: number,
  next: (rest: Uint8Array, room: number) => Piece | undefined,
): Pieces {
  const contents: Uint8Array[] = [];
  let size = 0;
  let at = 0;
  while (at < bytes.length) {
    const piece = next(bytes.subarray(at), maxBytes - size);
    if (piece === undefined || piece.read === 0) break;
    contents.push(piece.content);
    size += piece.content.length;
    at += piece.read;
  }
  const [only] = contents;
  const content = contents.length === 1 && only !== undefined ? only : Buffer.concat(contents, size);
  return { content, trailingBytes: bytes.length - at };
}

/** RFC 1952: ten bytes, then what the flags say, then deflate, then CRC and size. */
const GZIP = { header: 10, trailer: 8, headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

function gunzipMember(bytes: Uint8Array, room: number): Piece | undefined {
  if (bytes.length < GZIP.header + GZIP.trailer || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) {
    return undefined;
  }
  const flags = bytes[3] ?? 0;
  let at: number = GZIP.header;
  if ((flags & GZIP.extra) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const flag of [GZIP.name, GZIP.comment]) {
    if ((flags & flag) !== 0) at = bytes.indexOf(0, at) + 1 || bytes.length;
  }
  if ((flags & GZIP.headerCrc) !== 0) at += 2;
  let read = 0;
  const content = decompress('gzip', 'invalid_input', room, () => {
    const options = { maxOutputLength: Math.max(1, room), info: true };
    const piece = pieceOf(zlib.inflateRawSync(bytes.subarray(at), options));
    read = at + piece.read;
    return piece.content;
  });
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + read, bytes.length - read);
  if (
    trailer.byteLength < GZIP.trailer ||
    trailer.getUint32(0, true) !== zlib.crc32(content) ||
    trailer.getUint32(4, true) !== content.length % 2 ** 32
  ) {
    throw new FleetflameError('invalid_input', 'The gzip data is broken or cut off: its checksum is wrong.');
  }
  return { content, read: read + GZIP.trailer };
}

/** The length of the content as a gzip file's last four bytes have it, modulo 2^32: a hint. */
function gzipSaysBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length < 18 ? 0 : view.getUint32(bytes.length - 4, true);
}

function decompress(
  name: string,
  broken: 'corrupt_data' | 'invalid_input',
  maxBytes: number,
  run: () => Uint8Array,
): Uint8Array {
  let out: Uint8Array;
  try {
    out = run();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(name, maxBytes);
    throw new FleetflameError(broken, `The ${name} data is broken or cut off: ${String(cause)}.`, { cause });
  }
  if (out.length > maxBytes) throw tooLarge(name, maxBytes);
  return out;
}

function tooLarge(name: string, maxBytes: number): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The ${name} data holds more than the ${maxBytes} bytes that are allowed here.`,
  );
}

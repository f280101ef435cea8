/** Compression in Node, by node:zlib. Packages reach it as `#compression`; bundles for browsers get browser.ts. */
import * as zlib from 'node:zlib';

import { FleetflameError } from '../errors.ts';

/**
 * Level 1 takes a third of level 3's time for three percent more bytes on profile columns. The frame
 * carries a checksum of its content, which decompression checks.
 */
export function zstdCompress(bytes: Uint8Array, level = 1): Uint8Array {
  // Not an object literal in the call: the types of node:zlib do not know pledgedSrcSize yet.
  const options = {
    chunkSize: chunkSize(bytes.length + (bytes.length >> 8)),
    // Sizes the compressor's tables for the input and puts its length into the frame.
    pledgedSrcSize: bytes.length,
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  };
  return zlib.zstdCompressSync(bytes, options);
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
    zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) }),
  );
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

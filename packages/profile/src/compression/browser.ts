/**
 * Compression in the browser: there is none that is synchronous. The UI gets uncompressed tables
 * from the server, so nothing there calls these; what does is told so.
 */
import { FleetflameError } from '../errors.ts';

export function zstdCompress(_bytes: Uint8Array, _level?: number): Uint8Array {
  throw unsupported('zstd');
}

export function zstdDecompress(_bytes: Uint8Array, _maxBytes: number): Uint8Array {
  throw unsupported('zstd');
}

export function gzip(_bytes: Uint8Array): Uint8Array {
  throw unsupported('gzip');
}

export function gunzip(_bytes: Uint8Array, _maxBytes: number): Uint8Array {
  throw unsupported('gzip');
}

export function gunzipMembers(_bytes: Uint8Array, _maxBytes: number): never {
  throw unsupported('gzip');
}

export function zstdFrames(_bytes: Uint8Array, _maxBytes: number): never {
  throw unsupported('zstd');
}

function unsupported(name: string): FleetflameError {
  return new FleetflameError(
    'unsupported',
    `A browser cannot read or write ${name} here: ask the server for the uncompressed form.`,
  );
}

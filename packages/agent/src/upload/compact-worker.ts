/** Cuts binaries down to their symbols, in a thread of the lowest priority: reading symbols of a browser takes seconds. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { compactElf } from '@fleetflame/elf';
import { fileSource } from '../binaries/file-source.ts';

export interface CompactRequest {
  readonly fd: number;
  readonly identity: string;
  readonly maxBytes: number;
}

export type CompactResult = { readonly bytes: Uint8Array } | { readonly problem: string };

const LOWEST_PRIORITY = 19;

if (parentPort === null) throw new Error('compact-worker.ts runs as a worker thread only');
const port = parentPort;
try {
  // On Linux a priority belongs to a thread; 0 is the calling one.
  setPriority(0, LOWEST_PRIORITY);
} catch {
  // Not allowed: then at normal priority.
}
port.on('message', (request: CompactRequest) => {
  let result: CompactResult;
  try {
    const { identity, maxBytes } = request;
    result = { bytes: compactElf(fileSource(request.fd), { identity, maxBytes }) };
  } catch (error) {
    result = { problem: error instanceof Error ? error.message : String(error) };
  }
  const buffer = 'bytes' in result ? result.bytes.buffer : undefined;
  port.postMessage(result, buffer instanceof ArrayBuffer ? [buffer] : []);
});

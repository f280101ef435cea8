/** The thread in which a binary is converted: see converter.ts. */
import { closeSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ElfError } from '@fleetflame/elf';
import { fileSource } from '../file-source.ts';
import { convertBinary, type Conversion } from './convert-binary.ts';
import type { DemangleOptions } from './demangle.ts';
import type { DebugLinesOptions } from './run-debug-lines.ts';

export interface ConversionRequest {
  /** The uploaded file. */
  readonly path: string;
  readonly buildId: string;
  readonly supplement: string | undefined;
  readonly demangle: DemangleOptions;
  readonly debugLines: DebugLinesOptions;
}

export type ConversionAnswer =
  | { readonly ok: true; readonly conversion: Conversion }
  /** `refused`: the file is at fault, not the server. */
  | { readonly ok: false; readonly refused: boolean; readonly problem: string };

async function answer(request: ConversionRequest): Promise<ConversionAnswer> {
  let fd: number | undefined;
  try {
    fd = openSync(request.path, 'r');
    const { path, supplement, demangle, debugLines } = request;
    const conversion = await convertBinary(fileSource(fd), request.buildId, {
      demangle,
      debug: { path, supplement, options: debugLines },
    });
    return { ok: true, conversion };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ok: false, refused: error instanceof ElfError, problem };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const port = parentPort;
if (port === null) throw new Error('conversion-worker.ts runs as a worker thread');
// workerData is what converter.ts passes: a ConversionRequest.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const result = await answer(workerData as ConversionRequest);
port.postMessage(result, result.ok ? [transferable(result.conversion.table)] : []);

function transferable(bytes: Uint8Array): ArrayBuffer {
  if (bytes.buffer instanceof ArrayBuffer) return bytes.buffer;
  throw new Error('a table is never in shared memory');
}

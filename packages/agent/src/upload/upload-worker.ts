/**
 * Looks into binaries, finds their debug files and reads what is sent of them, in a thread of the lowest priority:
 * sampling must not wait for a disk.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ForeignFiles } from '@fleetflame/bpf';
import { CompactImage, ElfError } from '@fleetflame/elf';
import type { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { ForeignFileError } from '../binaries/foreign-source.ts';
import { foreignBinary, type ForeignBinary } from './foreign-binary.ts';
import {
  prepareUpload,
  type PreparedBinary,
  type PreparedUpload,
  type UploadLevel,
} from './prepare-upload.ts';

/** About a file that can be sent. */
export interface UploadHead {
  readonly buildId: string;
  readonly fileName: string;
  readonly content: string;
  readonly quality: SymbolQuality;
  readonly supplementary: boolean;
  readonly sizeBytes: number;
}

export interface OpenedBinary {
  readonly upload: UploadHead;
  readonly debugPath: string | undefined;
  /** As it would be without debug sections. */
  readonly symbolsOnly: UploadHead;
  readonly supplement: UploadHead | undefined;
}

export type UploadWork =
  /** Takes the place of what was open. */
  | { readonly op: 'open'; readonly binary: ForeignBinary; readonly level: UploadLevel }
  /** `buffer` comes back with the bytes. */
  | {
      readonly op: 'read';
      readonly which: 'upload' | 'supplement';
      readonly offset: number;
      readonly length: number;
      readonly buffer: ArrayBuffer;
    }
  | { readonly op: 'close' };

export type UploadResult =
  | { readonly ok: true; readonly opened?: OpenedBinary; readonly bytes?: Uint8Array<ArrayBuffer> }
  /** `passing`: another attempt may go better, since a file system did not answer. */
  | { readonly ok: false; readonly problem: string; readonly passing?: boolean };

const LOWEST_PRIORITY = 19;
/** What a file source reads without allocating. */
const CHUNK_BYTES = 64 * 1024;

if (parentPort === null) throw new Error('upload-worker.ts runs as a worker thread only');
const port = parentPort;
try {
  // On Linux a priority belongs to a thread; 0 is the calling one.
  setPriority(0, LOWEST_PRIORITY);
} catch {
  // Not allowed: then at normal priority.
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- upload-thread.ts gives it
const files = new ForeignFiles(workerData as number);
let current: PreparedBinary | undefined;

port.on('message', (work: UploadWork) => {
  let result: UploadResult;
  try {
    result = answer(work);
  } catch (error) {
    // Files may end while they are read, disks fail: all of that is this binary's problem, not the agent's.
    const problem = error instanceof Error ? error.message : String(error);
    result = { ok: false, problem, passing: error instanceof ForeignFileError };
  }
  port.postMessage(result, result.ok && result.bytes !== undefined ? [result.bytes.buffer] : []);
});

function answer(work: UploadWork): UploadResult {
  if (work.op === 'read') {
    const bytes = new Uint8Array(work.buffer, 0, work.length);
    read(work.which, work.offset, bytes);
    return { ok: true, bytes };
  }
  current?.close();
  current = undefined;
  return work.op === 'close' ? { ok: true } : { ok: true, opened: open(work.binary, work.level) };
}

function open(foreign: ForeignBinary, level: UploadLevel): OpenedBinary {
  const binary = foreignBinary(files, foreign);
  current = prepareUpload(binary, level);
  const { upload, debugPath, supplement } = current;
  const symbolsOnly = debugPath === undefined ? upload : prepareUpload(binary, 'symbols').upload;
  return {
    upload: headOf(upload),
    debugPath,
    symbolsOnly: headOf(symbolsOnly),
    supplement: supplement?.upload && headOf(supplement.upload),
  };
}

function read(which: 'upload' | 'supplement', offset: number, out: Uint8Array): void {
  const upload = which === 'upload' ? current?.upload : current?.supplement?.upload;
  if (upload === undefined) throw new Error('nothing is open');
  if (upload.bytes instanceof CompactImage) {
    upload.bytes.readInto(out, offset);
    return;
  }
  for (let at = 0; at < out.length; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, out.length - at);
    const chunk = upload.bytes.read(offset + at, length);
    if (chunk.length !== length) throw new ElfError('the file became shorter while it was read');
    out.set(chunk, at);
  }
}

function headOf(upload: PreparedUpload): UploadHead {
  const { bytes, ...head } = upload;
  return { ...head, sizeBytes: bytes.size };
}

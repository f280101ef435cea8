import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import {
  fileSource,
  localFiles,
  prepareSupplement,
  prepareUpload,
  readBinaryImage,
  sendUpload,
  type PreparedUpload,
  type SendResult,
} from '@fleetflame/agent/upload';
import { cutShort, elfConstants, ElfError, ElfFile } from '@fleetflame/elf';
import { FleetflameError, visibleText } from '@fleetflame/profile';
import type { BinaryStatus, SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { connectSymbols, explain } from '../client/connection.ts';
import { formatBytes } from '../client/format.ts';
import { messageOf } from '../client/message.ts';
import { printError, printJson, printLine, printWarnings, showProgress } from '../client/output.ts';
import { statusJson } from './symbols-status.ts';

interface PushOptions {
  readonly server: string;
  readonly json?: boolean;
}

/** A server that is away for so long is not waited for: each attempt goes on where the last one ended. */
const MAX_ATTEMPTS = 5;
const ATTEMPT_AGAIN_MS = 1000;
/** Another sender has this binary; it is waited for. */
const MAX_BUSY_MS = 120_000;

interface Pushed {
  readonly file: string;
  readonly upload: PreparedUpload;
  readonly result: Extract<SendResult, { readonly state: 'stored' }>;
}

/** Uploads each file; the others go on when one fails. */
export async function pushFiles(files: readonly string[], options: PushOptions): Promise<void> {
  const client = connectSymbols(options.server);
  const uploader = randomBytes(16).toString('hex');
  const answers: object[] = [];
  for (const file of files) {
    try {
      for (const pushed of await pushFile(client, uploader, file)) {
        answers.push({ file, ...statusOf(pushed), sentBytes: pushed.result.sentBytes });
        if (options.json !== true) report(pushed);
      }
    } catch (error) {
      const reason = `${file}: ${explain(error, options.server)}`;
      answers.push({ file, error: reason });
      if (options.json !== true) printError(reason);
      process.exitCode = 1;
      // The other files would not get through either.
      if (error instanceof ConnectError && error.code === Code.Unavailable) break;
    }
  }
  if (options.json === true) printJson(answers);
}

async function pushFile(
  client: Client<typeof SymbolService>,
  uploader: string,
  file: string,
): Promise<Pushed[]> {
  const fd = openFile(file);
  const pushed: Pushed[] = [];
  const push = async (upload: PreparedUpload): Promise<void> => {
    pushed.push({ file, upload, result: await send(client, uploader, upload) });
  };
  try {
    const shared = sharedDebugInfo(fd);
    if (shared !== undefined) {
      await push(prepareSupplement(shared, { source: fileSource(fd), path: file }));
      return pushed;
    }
    const path = resolve(file);
    const source = fileSource(fd);
    const { buildId } = readBinaryImage(source);
    const prepared = prepareUpload({ ...localFiles(path), source, buildId }, 'debug');
    try {
      if (prepared.debugPath !== undefined && prepared.debugPath !== '') {
        printWarnings([`${file}: its debug sections are taken from ${prepared.debugPath}`]);
      }
      if (prepared.supplement?.upload !== undefined) await push(prepared.supplement.upload);
      await push(prepared.upload);
    } finally {
      prepared.close();
    }
    return pushed;
  } catch (error) {
    if (error instanceof ElfError) {
      throw new FleetflameError('invalid_input', `not pushed: ${error.message}`, { cause: error });
    }
    throw error;
  } finally {
    closeSync(fd);
  }
}

function openFile(file: string): number {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (cause) {
    throw new FleetflameError('invalid_input', `cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new FleetflameError('invalid_input', 'is not a file');
}

/** Build id of a file that debug files share (dwz); undefined for anything else. */
function sharedDebugInfo(fd: number): string | undefined {
  const elf = ElfFile.parse(fileSource(fd), { relocatable: true });
  const problem = cutShort(elf);
  if (problem !== undefined) throw new FleetflameError('invalid_input', `${problem}; copy it again`);
  if (elf.type !== elfConstants.ET_REL) return undefined;
  if (elf.buildId !== undefined && elf.section('.debug_info') !== undefined) return elf.buildId;
  throw new FleetflameError(
    'invalid_input',
    'a relocatable object: push the program or library that it is linked into',
  );
}

async function send(
  client: Client<typeof SymbolService>,
  uploader: string,
  upload: PreparedUpload,
): Promise<Pushed['result']> {
  const { bytes, ...head } = upload;
  const read = async (offset: number, length: number) =>
    await Promise.resolve(new Uint8Array(bytes.read(offset, length)));
  const progress = progressOf(upload);
  let failures = 0;
  let busyMs = 0;
  try {
    for (;;) {
      try {
        const result = await sendUpload(
          client,
          { ...head, sizeBytes: bytes.size, read },
          { uploader, origin: 'cli', replace: true, waitForEnd: true, onProgress: progress.show },
        );
        if (result.state === 'stored') return result;
        const retryMs = result.state === 'busy' ? result.retryMs : ATTEMPT_AGAIN_MS;
        if (busyMs > MAX_BUSY_MS)
          throw new FleetflameError('overloaded', 'another upload of this binary takes too long');
        busyMs += retryMs;
        await sleep(retryMs);
      } catch (error) {
        if (!(error instanceof ConnectError) || !isPassing(error.code) || ++failures >= MAX_ATTEMPTS)
          throw error;
        await sleep(ATTEMPT_AGAIN_MS * failures);
      }
    }
  } finally {
    progress.end();
  }
}

function isPassing(code: Code): boolean {
  return code === Code.Unavailable || code === Code.ResourceExhausted || code === Code.Canceled;
}

/** A line on the terminal that is written over and over; nothing where nobody looks. */
function progressOf({ fileName, bytes }: PreparedUpload): {
  readonly show: (done: number) => void;
  readonly end: () => void;
} {
  if (!process.stderr.isTTY) return { show: () => undefined, end: () => undefined };
  return {
    show(done) {
      const state =
        done < bytes.size ? `${formatBytes(done)} of ${formatBytes(bytes.size)}` : 'being converted';
      showProgress(`${fileName}: ${state}`);
    },
    end: () => showProgress(''),
  };
}

function statusOf({ upload, result }: Pushed): object {
  return result.binary === undefined ? { buildId: upload.buildId } : statusJson(result.binary);
}

function report({ file, upload, result }: Pushed): void {
  const { binary } = result;
  const name = `${visibleText(basename(file))} (build id ${upload.buildId})`;
  if (upload.supplementary) {
    printLine(`${name}: stored, for the debug files that refer to it; push those again`);
    return;
  }
  printLine(
    `${name}: ${binary === undefined ? 'stored' : countsOf(binary)}; ${formatBytes(result.sentBytes)} sent`,
  );
  if (binary !== undefined && binary.problem !== '') printWarnings([`${file}: ${binary.problem}`]);
  if (binary !== undefined && binary.missingSupplementary !== '') {
    printWarnings([
      `${file}: names are missing: it refers to a file with build id ${binary.missingSupplementary} (.gnu_debugaltlink); push that, then this one again`,
    ]);
  }
}

function count(value: bigint, what: string): string {
  return `${value.toLocaleString('en-US')} ${what}`;
}

function countsOf(binary: BinaryStatus): string {
  if (binary.source === 'none')
    return `${count(binary.symbols, 'stubs of imported functions')} and nothing else: push its debug file`;
  if (binary.source !== 'dwarf') return `${count(binary.symbols, 'functions')} (${binary.source})`;
  return `${count(binary.symbols, 'functions')}, ${count(binary.lines, 'lines')}, ${count(binary.inlines, 'inlined calls')}`;
}

import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import { bufferSource, compactElf } from '@fleetflame/elf';
import type { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { BinaryFile, BinaryTable } from '../binaries/binary-table.ts';
import type { Vdso } from '../binaries/vdso.ts';
import type { CompactResult } from './compact-worker.ts';
import { Compactor } from './compactor.ts';

/** Symbols of more than this are not uploaded: it is held in memory while it is sent. Node has 30 MB, Chromium 300. */
export const MAX_UPLOAD_BYTES = 128 * 1024 * 1024;
const PART_BYTES = 1024 * 1024;
/** Build ids remembered as asked for; oldest out first, and asked again when seen again. */
export const MAX_ASKED = 65_536;
/** Servers lose data, and an administrator may have asked for symbols again. */
export const ASK_AGAIN_MS = 6 * 3600_000;
/** The protocol's limit. */
const MAX_BUILD_IDS_PER_CALL = 4096;
const CALL_TIMEOUT_MS = 30_000;
const MIN_BUILD_ID_DIGITS = 8;

export interface UploadCounters {
  asked: number;
  wanted: number;
  uploaded: number;
  uploadedBytes: number;
  /** Wanted, but the file was gone. */
  gone: number;
  /** Wanted, but broken or larger than MAX_UPLOAD_BYTES. */
  unfit: number;
  /** The server refused it. */
  refused: number;
  /** Calls that failed and will be tried again. */
  errors: number;
}

/**
 * Uploads the symbols of sampled binaries that the server asks for: once per build id, one file at a time, one
 * part at a time. Whatever goes wrong here costs names, never samples.
 */
export class SymbolUploader {
  readonly counters: UploadCounters = {
    asked: 0,
    wanted: 0,
    uploaded: 0,
    uploadedBytes: 0,
    gone: 0,
    unfit: 0,
    refused: 0,
    errors: 0,
  };
  readonly #client: Client<typeof SymbolService>;
  readonly #binaries: BinaryTable;
  readonly #vdso: Vdso;
  readonly #log: Logger;
  readonly #compactor = new Compactor();
  /** Build id → when it was settled. In order of insertion. */
  readonly #asked = new Map<string, number>();
  #pending = new Set<string>();
  /** Being asked for or uploaded now. */
  #current: ReadonlySet<string> = new Set();
  #running: Promise<void> | undefined;
  readonly #abort = new AbortController();

  constructor(options: {
    readonly client: Client<typeof SymbolService>;
    readonly binaries: BinaryTable;
    readonly vdso: Vdso;
    readonly log: Logger;
  }) {
    this.#client = options.client;
    this.#binaries = options.binaries;
    this.#vdso = options.vdso;
    this.#log = options.log;
  }

  /** Build ids that were sampled in a window. Returns at once. */
  offer(buildIds: Iterable<string>, nowMs: number): void {
    for (const buildId of buildIds) {
      const askedAt = this.#asked.get(buildId);
      const isDue = askedAt === undefined || nowMs - askedAt > ASK_AGAIN_MS;
      if (isDue && !this.#current.has(buildId) && buildId.length >= MIN_BUILD_ID_DIGITS)
        this.#pending.add(buildId);
    }
    if (this.#pending.size === 0 || this.#abort.signal.aborted) return;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when nothing is being asked or uploaded. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    // A compaction that is under way ends with its thread.
    await this.#compactor.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#pending.size > 0 && !this.#abort.signal.aborted) {
      const buildIds = [...this.#pending].slice(0, MAX_BUILD_IDS_PER_CALL);
      for (const buildId of buildIds) this.#pending.delete(buildId);
      this.#current = new Set(buildIds);
      try {
        await this.#ask(buildIds);
      } catch (error) {
        // The next window offers them again: that is the retry.
        this.counters.errors++;
        const { code, rawMessage } = ConnectError.from(error);
        this.#log.debug({ code: Code[code], reason: rawMessage }, 'symbols cannot be offered now');
        return;
      } finally {
        this.#current = new Set();
      }
    }
  }

  async #ask(buildIds: readonly string[]): Promise<void> {
    const options = { timeoutMs: CALL_TIMEOUT_MS, signal: this.#abort.signal };
    const answer = await this.#client.wanted({ buildIds: [...buildIds] }, options);
    this.counters.asked += buildIds.length;
    const wanted = new Set(answer.buildIds);
    for (const buildId of buildIds) {
      if (wanted.has(buildId)) continue;
      this.#settle(buildId);
      this.#binaries.release(buildId);
    }
    for (const buildId of buildIds) {
      if (!wanted.has(buildId) || this.#abort.signal.aborted) continue;
      this.counters.wanted++;
      await this.#uploadOne(buildId);
    }
  }

  async #uploadOne(buildId: string): Promise<void> {
    const isVdso = buildId === this.#vdso.buildId;
    const file = isVdso ? undefined : this.#binaries.reopenFile(buildId);
    if (file === undefined && !isVdso) {
      this.counters.gone++;
      this.#settle(buildId);
      return;
    }
    const name = file === undefined ? '[vdso]' : basename(file.path);
    const result = file === undefined ? compactVdso(this.#vdso) : await this.#compact(file);
    if (this.#abort.signal.aborted) return;
    if ('problem' in result) {
      this.counters.unfit++;
      this.#settle(buildId);
      this.#log.warn({ binary: name, buildId, reason: result.problem }, 'symbols cannot be uploaded');
      return;
    }
    try {
      await this.#send(buildId, name, result.bytes);
      this.#settle(buildId);
      this.counters.uploaded++;
      this.counters.uploadedBytes += result.bytes.length;
      this.#log.info({ binary: name, buildId, bytes: result.bytes.length }, 'symbols uploaded');
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (!isRefusal(code)) throw error;
      this.counters.refused++;
      this.#settle(buildId);
      this.#log.warn({ binary: name, buildId, code: Code[code], reason: rawMessage }, 'symbols refused');
    }
  }

  async #compact(file: BinaryFile): Promise<CompactResult> {
    try {
      return await this.#compactor.compact({
        fd: file.fd,
        identity: file.buildId,
        maxBytes: MAX_UPLOAD_BYTES,
      });
    } finally {
      closeSync(file.fd);
    }
  }

  async #send(buildId: string, fileName: string, bytes: Uint8Array): Promise<void> {
    const options = { timeoutMs: CALL_TIMEOUT_MS, signal: this.#abort.signal };
    for (let offset = 0; offset < bytes.length; offset += PART_BYTES) {
      await this.#client.upload(
        {
          buildId,
          fileName,
          totalBytes: BigInt(bytes.length),
          offset: BigInt(offset),
          part: bytes.subarray(offset, offset + PART_BYTES),
        },
        options,
      );
    }
  }

  #settle(buildId: string): void {
    this.#asked.delete(buildId);
    this.#asked.set(buildId, Date.now());
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= MAX_ASKED) break;
      this.#asked.delete(oldest);
    }
  }
}

function compactVdso(vdso: Vdso): CompactResult {
  try {
    return { bytes: compactElf(bufferSource(vdso.bytes), { identity: vdso.buildId }) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Codes that speak of this binary; all others speak of the server or the way to it. */
function isRefusal(code: Code): boolean {
  return (
    code === Code.InvalidArgument ||
    code === Code.OutOfRange ||
    code === Code.FailedPrecondition ||
    code === Code.DataLoss ||
    code === Code.AlreadyExists
  );
}

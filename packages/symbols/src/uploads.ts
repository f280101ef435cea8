/**
 * Uploads under way, one per build id.
 *
 * ```
 *   first part ──▶ receiving ──last part──▶ converting ──▶ stored, or refused and remembered with the reason
 *                     │ no part for UPLOAD_IDLE_MS: given up
 * ```
 * Parts come in order. What repeats bytes that are here is accepted, so a client whose answer got lost sends its
 * part again, and one that lost its place starts over at 0 without harm. A part from beyond, or after the upload
 * expired, is refused as not_found (what comes before it is not here) with a message that ends with "continue at
 * offset N": the client goes on there, or starts over.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import type { UploadRequest } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import { checkBuildId } from './build-id.ts';
import { BinaryRefused, type Converter } from './convert/converter.ts';
import { SYMBOL_LIMITS, UPLOAD_ALIVE_MS, UPLOAD_IDLE_MS } from './limits.ts';
import type { RefusalReason, ServiceMetrics } from './service-metrics.ts';
import type { SymbolStore } from './symbol-store.ts';
import { Upload, type UploadHead } from './upload.ts';

export interface UploadsOptions {
  readonly store: SymbolStore;
  readonly converter: Converter;
  readonly log: Logger;
  /** Read when the first part arrives: the metrics show the uploads, and the uploads count in the metrics. */
  readonly metrics: () => ServiceMetrics;
  readonly scratchDir: string | undefined;
  readonly now: () => number;
}

export interface UploadAnswer {
  readonly symbols: number;
  readonly complete: boolean;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #uploads = new Map<string, Upload>();
  /** Build ids whose upload is being created. */
  readonly #creating = new Map<string, number>();
  #scratch: Promise<string> | undefined;
  #serial = 0;
  #closed = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#uploads.size + this.#creating.size;
  }

  get scratchBytes(): number {
    let sum = 0;
    for (const upload of this.#uploads.values()) sum += upload.head.totalBytes;
    for (const bytes of this.#creating.values()) sum += bytes;
    return sum;
  }

  /** Whether somebody is uploading this binary and makes progress. */
  isAlive(buildId: string): boolean {
    const upload = this.#uploads.get(buildId);
    if (upload === undefined) return this.#creating.has(buildId);
    return upload.conversion !== undefined || upload.touchedMs + UPLOAD_ALIVE_MS > this.#options.now();
  }

  /** @throws FleetflameError: invalid_input, limit_exceeded; overloaded (try again later), not_found (send what is missing) */
  async accept(request: UploadRequest): Promise<UploadAnswer> {
    const { head, offset, part } = this.#check(request);
    const upload = await this.#uploadFor(head, offset);
    if (upload === 'known') {
      const record = await this.#options.store.record(head.buildId);
      this.#options.metrics().uploads.inc({ result: 'known' });
      return { symbols: record?.symbols ?? 0, complete: true };
    }
    const conversion = await upload.inTurn(async () => {
      // It may have ended while this part waited for its turn.
      if (this.#uploads.get(head.buildId) !== upload) return 'ended';
      await this.#take(upload, offset, part);
      if (upload.received < head.totalBytes) return undefined;
      upload.conversion ??= this.#finish(upload);
      // Not awaited here: repeated last parts wait for the same conversion.
      return { done: upload.conversion };
    });
    if (conversion === 'ended') return await this.accept(request);
    return conversion === undefined
      ? { symbols: 0, complete: false }
      : { symbols: await conversion.done, complete: true };
  }

  /** Gives up uploads without a new part for UPLOAD_IDLE_MS. Called by a timer. */
  async expire(): Promise<void> {
    const oldest = this.#options.now() - UPLOAD_IDLE_MS;
    for (const upload of this.#uploads.values()) {
      if (upload.conversion !== undefined || upload.touchedMs > oldest) continue;
      this.#options.log.warn(
        { buildId: upload.head.buildId, received: upload.received, total: upload.head.totalBytes },
        'an upload of symbols stopped half-way: given up',
      );
      this.#options.metrics().uploads.inc({ result: 'expired' });
      await this.#remove(upload);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const upload of this.#uploads.values()) {
      await upload.conversion?.catch(() => undefined);
      await this.#remove(upload);
    }
    if (this.#scratch !== undefined) await rm(await this.#scratch, { recursive: true, force: true });
  }

  #refuse(
    reason: RefusalReason,
    code: 'invalid_input' | 'limit_exceeded' | 'overloaded' | 'not_found',
    message: string,
    field?: string,
  ): never {
    this.#options.metrics().refused.inc({ reason });
    throw new FleetflameError(code, message, field === undefined ? {} : { field });
  }

  #check(request: UploadRequest): {
    readonly head: UploadHead;
    readonly offset: number;
    readonly part: Uint8Array;
  } {
    const { buildId, part } = request;
    try {
      checkBuildId(buildId, 'build_id');
    } catch (error) {
      this.#options.metrics().refused.inc({ reason: 'malformed' });
      throw error;
    }
    const totalBytes = Number(request.totalBytes);
    const offset = Number(request.offset);
    if (totalBytes > SYMBOL_LIMITS.uploadBytes) {
      const message = `total_bytes: ${totalBytes} bytes, the most is ${SYMBOL_LIMITS.uploadBytes}. Upload the symbol sections only.`;
      this.#refuse('uploadBytes', 'limit_exceeded', message, 'total_bytes');
    }
    if (part.length > SYMBOL_LIMITS.partBytes) {
      const message = `part: ${part.length} bytes, the most is ${SYMBOL_LIMITS.partBytes}. Send smaller parts.`;
      this.#refuse('partBytes', 'limit_exceeded', message, 'part');
    }
    if (part.length === 0) this.#refuse('malformed', 'invalid_input', 'part: it is empty.', 'part');
    if (offset + part.length > totalBytes) {
      const message = `part: bytes ${offset} to ${offset + part.length} of an upload of ${totalBytes}.`;
      this.#refuse('malformed', 'invalid_input', message, 'offset');
    }
    return { head: { buildId, fileName: displayName(request.fileName), totalBytes }, offset, part };
  }

  async #uploadFor(head: UploadHead, offset: number): Promise<Upload | 'known'> {
    const { buildId } = head;
    const current = this.#uploads.get(buildId);
    if (current?.head.totalBytes === head.totalBytes) return current;
    if (current !== undefined || this.#creating.has(buildId)) {
      const message = `Another upload of ${buildId} is under way: ask later whether it is still wanted.`;
      this.#refuse('under_way', 'overloaded', message);
    }
    const record = await this.#options.store.record(buildId);
    if (record !== undefined && record.table !== '' && record.uploadBytes === head.totalBytes) return 'known';
    if (offset !== 0) {
      const message = `No upload of ${buildId} is under way (it may have expired): continue at offset 0`;
      this.#refuse('out_of_order', 'not_found', message, 'offset');
    }
    // Another request may have come first while the record was read.
    if (this.#uploads.has(buildId) || this.#creating.has(buildId)) return await this.#uploadFor(head, offset);
    return await this.#create(head);
  }

  async #create(head: UploadHead): Promise<Upload> {
    if (this.#closed)
      throw new FleetflameError('cancelled', 'The server is shutting down: send the binary again later.');
    if (this.size >= SYMBOL_LIMITS.uploads) {
      this.#refuse(
        'uploads',
        'overloaded',
        `${this.size} uploads are under way, which is the most: try again later.`,
      );
    }
    if (this.scratchBytes + head.totalBytes > SYMBOL_LIMITS.scratchBytes) {
      this.#refuse(
        'scratchBytes',
        'overloaded',
        `Uploads under way fill the scratch space of ${SYMBOL_LIMITS.scratchBytes} bytes: try again later.`,
      );
    }
    this.#creating.set(head.buildId, head.totalBytes);
    try {
      this.#scratch ??= mkdtemp(join(this.#options.scratchDir ?? tmpdir(), 'fleetflame-symbols-'));
      const path = join(await this.#scratch, `${this.#serial++}.elf`);
      const upload = await Upload.create(head, path, this.#options.now());
      this.#uploads.set(head.buildId, upload);
      return upload;
    } finally {
      this.#creating.delete(head.buildId);
    }
  }

  async #take(upload: Upload, offset: number, part: Uint8Array): Promise<void> {
    upload.touchedMs = this.#options.now();
    const known = Math.min(upload.received - offset, part.length);
    if (known >= 0 && (await upload.repeats(offset, part.subarray(0, known)))) {
      await upload.append(part.subarray(known));
      this.#options.metrics().receivedBytes.inc(part.length - known);
      return;
    }
    if (known < 0) {
      const message = `The part begins at offset ${offset}, but ${upload.received} bytes were received: continue at offset ${upload.received}`;
      this.#refuse('out_of_order', 'not_found', message, 'offset');
    }
    const message = `The part at offset ${offset} differs from the bytes received before: continue at offset ${upload.received}`;
    this.#refuse('out_of_order', 'invalid_input', message, 'offset');
  }

  async #finish(upload: Upload): Promise<number> {
    const { store, converter, log, metrics } = this.#options;
    const { buildId, fileName, totalBytes } = upload.head;
    const binary = { buildId, fileName, uploadBytes: totalBytes };
    const endTimer = metrics().conversion.startTimer();
    try {
      const conversion = await converter.convert(upload.path, buildId);
      const record = await store.add(binary, conversion);
      metrics().uploads.inc({ result: 'stored' });
      log.info(
        { ...binary, symbols: record.symbols, source: record.source, warnings: conversion.warnings },
        'symbols stored',
      );
      await this.#remove(upload);
      return record.symbols;
    } catch (error) {
      if (!(error instanceof BinaryRefused)) {
        // The file is here and whole: a repeated last part tries again.
        upload.conversion = undefined;
        upload.touchedMs = this.#options.now();
        if (error instanceof FleetflameError && error.code === 'overloaded') {
          metrics().refused.inc({ reason: 'queuedConversions' });
        }
        throw error;
      }
      metrics().uploads.inc({ result: 'refused' });
      log.warn({ ...binary, problem: error.message }, 'an uploaded binary has no usable symbols');
      await this.#remove(upload);
      await store.addFailure(binary, error.message);
      return this.#refuse('binary', 'invalid_input', `${fileName || buildId}: ${error.message}.`);
    } finally {
      endTimer();
    }
  }

  async #remove(upload: Upload): Promise<void> {
    const { buildId } = upload.head;
    if (this.#uploads.get(buildId) !== upload) return;
    this.#uploads.delete(buildId);
    await upload.discard();
  }
}

/** A base name without control characters. */
function displayName(text: string): string {
  return basename(text.replaceAll(/\p{Cc}/gu, '')).slice(0, SYMBOL_LIMITS.fileNameLength);
}

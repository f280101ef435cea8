import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import { bufferSource, CompactImage, ElfError } from '@fleetflame/elf';
import { SymbolQuality, type SymbolService, type WantedResponse } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { BinaryFile, BinaryTable } from '../binaries/binary-table.ts';
import type { Vdso } from '../binaries/vdso.ts';
import { QUALITY } from './prepare-upload.ts';
import { sendUpload } from './send-upload.ts';
import { mayUpload, UPLOAD_EVERYTHING, type UploadRules } from './upload-rules.ts';
import { SilentBinary, UnfitBinary, UploadThread } from './upload-thread.ts';
import type { OpenedBinary, UploadHead } from './upload-worker.ts';

/**
 * So fast are symbols sent. Sending costs some 13 ms of CPU a megabyte, so this is 5 % of a CPU while it lasts: 5 s for
 * node, four minutes for a gigabyte, on one host of the fleet.
 */
export const BYTES_PER_SECOND = 4 * 1024 * 1024;
/** Larger uploads, which take seconds, stop for binaries that have been seen meanwhile, and go on later. */
export const LARGE_BYTES = 16 * 1024 * 1024;
/** Build ids offered in one call; so many files are open meanwhile. */
const BATCH = 32;
/** Build ids remembered as asked for; oldest out first, and asked again when seen again. */
export const MAX_ASKED = 65_536;
/** Servers lose data, and an administrator may have asked for symbols again. */
export const ASK_AGAIN_MS = 6 * 3600_000;
/** A binary is offered once more when the server has converted it: it may have lost what it got. */
const CONVERTED_MS = 10 * 60_000;
/** When a binary is offered again whose file system did not answer. */
const SILENT_MS = 10 * 60_000;
const CALL_TIMEOUT_MS = 30_000;
const MIN_BUILD_ID_DIGITS = 8;

export interface UploadCounters {
  asked: number;
  wanted: number;
  uploaded: number;
  uploadedBytes: number;
  /** Of `uploaded`: with debug sections. */
  uploadedDebug: number;
  /** Of `uploadedDebug`: whose debug sections came from a separate file. */
  debugFiles: number;
  /** Debug sections larger than the server takes: the symbols alone were offered instead. */
  debugTooLarge: number;
  /** Another host uploads it: asked again later. */
  postponed: number;
  /** Stopped for smaller ones, to go on at the next window. */
  interrupted: number;
  /** Wanted, but the file was gone. */
  gone: number;
  /** Broken, or larger than the server takes. */
  unfit: number;
  /** Their file system did not answer: tried again later. */
  hung: number;
  /** Not offered, since the rules for uploads say so. */
  withheld: number;
  /** The server refused it. */
  refused: number;
  /** Calls that failed and will be tried again. */
  errors: number;
}

/** A large upload stopped for others: it is offered again at the next window, and goes on where it was. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** A binary that is offered. */
interface Candidate {
  readonly buildId: string;
  readonly file: BinaryFile;
  opened: OpenedBinary;
  level: 'debug' | 'symbols';
}

export interface SymbolUploaderOptions {
  readonly client: Client<typeof SymbolService>;
  readonly binaries: BinaryTable;
  readonly vdso: Vdso;
  readonly log: Logger;
  /** Default: BYTES_PER_SECOND. */
  readonly bytesPerSecond?: number;
  /** What may be sent; default: everything. */
  readonly rules?: UploadRules;
}

/**
 * Uploads what names the code of sampled binaries, if the server asks for it: once per build id, one file at a time,
 * one part at a time, with the debug sections of the binary or of its separate debug file. Whatever goes wrong here
 * costs names, never samples.
 */
export class SymbolUploader {
  readonly counters: UploadCounters = {
    asked: 0,
    wanted: 0,
    uploaded: 0,
    uploadedBytes: 0,
    uploadedDebug: 0,
    debugFiles: 0,
    debugTooLarge: 0,
    postponed: 0,
    interrupted: 0,
    gone: 0,
    unfit: 0,
    hung: 0,
    withheld: 0,
    refused: 0,
    errors: 0,
  };
  readonly #options: SymbolUploaderOptions;
  readonly #uploader = randomBytes(16).toString('hex');
  readonly #thread: UploadThread;
  /** Build id → when it may be offered again. In order of insertion. */
  readonly #askAgainAt = new Map<string, number>();
  readonly #pending = new Set<string>();
  /** Being asked for or uploaded now. */
  #current: ReadonlySet<string> = new Set();
  #running: Promise<void> | undefined;
  readonly #abort = new AbortController();
  readonly #rules: UploadRules;

  constructor(options: SymbolUploaderOptions) {
    this.#options = options;
    this.#rules = options.rules ?? UPLOAD_EVERYTHING;
    this.#thread = new UploadThread(options.binaries.files);
  }

  /** Build ids that were sampled in a window. Returns at once. */
  offer(buildIds: Iterable<string>, nowMs: number): void {
    if (this.#rules.what === 'off') return;
    for (const buildId of buildIds) {
      const isDue = (this.#askAgainAt.get(buildId) ?? 0) <= nowMs;
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
    // What is being read ends with its thread.
    await this.#thread.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#pending.size > 0 && !this.#abort.signal.aborted) {
      const buildIds = [...this.#pending].slice(0, BATCH);
      for (const buildId of buildIds) this.#pending.delete(buildId);
      this.#current = new Set(buildIds);
      const candidates: Candidate[] = [];
      try {
        if (buildIds.includes(this.#options.vdso.buildId)) await this.#offerVdso();
        const gone = await this.#open(buildIds, candidates);
        await this.#offer(candidates);
        await this.#askAboutGone(gone);
      } catch (error) {
        // The next window offers them again: that is the retry, and the server knows where it goes on.
        this.counters.errors++;
        const { code, rawMessage } = ConnectError.from(error);
        this.#options.log.debug({ code: Code[code], reason: rawMessage }, 'symbols cannot be offered now');
        return;
      } finally {
        for (const { file } of candidates) this.#options.binaries.files.close(file.file);
        this.#current = new Set();
      }
    }
  }

  /** Gives the build ids whose files are gone. */
  async #open(buildIds: readonly string[], candidates: Candidate[]): Promise<readonly string[]> {
    const { binaries, vdso } = this.#options;
    const gone: string[] = [];
    for (const buildId of buildIds) {
      if (buildId === vdso.buildId || this.#abort.signal.aborted) continue;
      const file = binaries.reopenFile(buildId);
      if (file === undefined) {
        gone.push(buildId);
        continue;
      }
      if (!mayUpload(this.#rules, file.path)) {
        binaries.files.close(file.file);
        this.counters.withheld++;
        this.#askAgainAt.set(buildId, Number.POSITIVE_INFINITY);
        continue;
      }
      try {
        const opened = await this.#thread.open(file, this.#rules.what === 'symbols' ? 'symbols' : 'debug');
        candidates.push({
          buildId,
          file,
          opened,
          level: opened.debugPath === undefined ? 'symbols' : 'debug',
        });
      } catch (error) {
        binaries.files.close(file.file);
        if (!(error instanceof UnfitBinary) || this.#abort.signal.aborted) throw error;
        this.#unfit(file, error);
      }
    }
    return gone;
  }

  async #offer(candidates: readonly Candidate[]): Promise<void> {
    if (candidates.length === 0) return;
    const answer = await this.#ask(candidates.flatMap(headsOf));
    const tooLarge = candidates.filter(
      ({ opened, level }) => level === 'debug' && opened.upload.sizeBytes > answer.maxUploadBytes,
    );
    const wanted = new Set(answer.buildIds);
    // Small ones first: they name most of the frames, and need not wait for a browser.
    for (const candidate of candidates.toSorted(
      (a, b) => a.opened.upload.sizeBytes - b.opened.upload.sizeBytes,
    )) {
      if (tooLarge.includes(candidate)) continue;
      if (this.#abort.signal.aborted) return;
      await this.#uploadWanted(candidate, wanted, answer);
    }
    if (tooLarge.length > 0) await this.#offerSymbolsOnly(tooLarge, answer.maxUploadBytes);
  }

  async #offerSymbolsOnly(candidates: readonly Candidate[], maxBytes: bigint): Promise<void> {
    for (const candidate of candidates) {
      const { buildId, file, opened } = candidate;
      this.counters.debugTooLarge++;
      this.#options.log.warn(
        { binary: file.path, buildId, bytes: opened.upload.sizeBytes, maxBytes: Number(maxBytes) },
        'debug sections are larger than the server takes: its symbols are offered alone, without lines and inlined calls',
      );
      candidate.level = 'symbols';
    }
    const answer = await this.#ask(candidates.flatMap(headsOf));
    const wanted = new Set(answer.buildIds);
    for (const candidate of candidates) {
      if (this.#abort.signal.aborted) return;
      if (candidate.opened.symbolsOnly.sizeBytes > answer.maxUploadBytes) {
        this.counters.unfit++;
        this.#settle(candidate.buildId);
      } else await this.#uploadWanted(candidate, wanted, answer);
    }
  }

  /** Whether names are missing because files went before they could be read. */
  async #askAboutGone(buildIds: readonly string[]): Promise<void> {
    if (buildIds.length === 0) return;
    const answer = await this.#ask(
      buildIds.map((buildId) => ({
        buildId,
        quality: SymbolQuality.UNSPECIFIED,
        sizeBytes: 0,
        supplementary: false,
        content: '',
      })),
    );
    this.counters.gone += answer.buildIds.length;
    for (const buildId of buildIds) this.#settle(buildId);
  }

  async #ask(
    heads: readonly Pick<UploadHead, 'buildId' | 'quality' | 'sizeBytes' | 'supplementary' | 'content'>[],
  ): Promise<WantedResponse> {
    const options = { timeoutMs: CALL_TIMEOUT_MS, signal: this.#abort.signal };
    const offers = heads.map(({ buildId, quality, sizeBytes, supplementary, content }) => ({
      buildId,
      quality,
      supplementary,
      content,
      bytes: BigInt(sizeBytes),
    }));
    const answer = await this.#options.client.wanted({ offers, uploader: this.#uploader }, options);
    this.counters.asked += heads.length;
    return answer;
  }

  async #uploadWanted(
    candidate: Candidate,
    wanted: ReadonlySet<string>,
    answer: WantedResponse,
  ): Promise<void> {
    const { buildId, level, opened } = candidate;
    const supplement = level === 'debug' ? opened.supplement : undefined;
    const isWanted = wanted.has(buildId);
    // Another host sends what this one's debug sections refer to: they are of use when that is there.
    const waits =
      answer.later.includes(buildId) ||
      (isWanted && supplement !== undefined && answer.later.includes(supplement.buildId));
    if (waits) {
      this.#postpone(buildId, answer.laterMs);
      return;
    }
    if (!isWanted) {
      this.#settle(buildId);
      return;
    }
    this.counters.wanted++;
    try {
      candidate.opened = await this.#thread.open(candidate.file, level);
      if (supplement !== undefined && wanted.has(supplement.buildId)) {
        if (!(await this.#send(candidate, supplement, 'supplement'))) return;
      }
      await this.#send(candidate, candidate.opened.upload, 'upload');
    } catch (error) {
      if (error instanceof Interrupted) {
        this.counters.interrupted++;
        return;
      }
      if (!(error instanceof UnfitBinary) || this.#abort.signal.aborted) throw error;
      this.#unfit(candidate.file, error);
    } finally {
      await this.#thread.closeBinary();
    }
  }

  #unfit({ buildId, path }: BinaryFile, error: UnfitBinary): void {
    if (error instanceof SilentBinary) {
      this.counters.hung++;
      this.#askAt(buildId, Date.now() + SILENT_MS);
    } else {
      this.counters.unfit++;
      this.#settle(buildId);
    }
    this.#options.log.warn({ binary: path, buildId, reason: error.message }, 'symbols cannot be uploaded');
  }

  /** Whether to go on with this binary. */
  async #send(candidate: Candidate, head: UploadHead, which: 'upload' | 'supplement'): Promise<boolean> {
    const { buildId, file, opened } = candidate;
    const { log, client } = this.#options;
    const about = { binary: file.path, buildId: head.buildId, bytes: head.sizeBytes };
    try {
      const result = await sendUpload(
        client,
        {
          ...head,
          read: async (offset, length) => {
            const bytes = await this.#thread.read(which, offset, length);
            this.counters.uploadedBytes += bytes.length;
            return bytes;
          },
        },
        {
          uploader: this.#uploader,
          origin: 'agent',
          signal: this.#abort.signal,
          onProgress: this.#pace(head.sizeBytes),
          // The binary that comes next refers to it.
          waitForEnd: which === 'supplement',
        },
      );
      if (result.state === 'busy') {
        this.#postpone(buildId, result.retryMs);
        return false;
      }
      this.counters.uploaded++;
      if (which === 'supplement') {
        log.info(about, 'a file that debug sections refer to was uploaded');
        return true;
      }
      // Whether the server could make use of it shows when it is offered again.
      if (result.state === 'converting') this.#askAt(buildId, Date.now() + CONVERTED_MS);
      else this.#settle(buildId);
      if (candidate.level === 'debug') this.counters.uploadedDebug++;
      if (candidate.level === 'debug' && opened.debugPath !== '') this.counters.debugFiles++;
      log.info({ ...about, debugFile: opened.debugPath }, 'symbols uploaded');
      return true;
    } catch (error) {
      if (error instanceof UnfitBinary || error instanceof Interrupted) throw error;
      const { code, rawMessage } = ConnectError.from(error);
      if (!isRefusal(code)) throw error;
      this.counters.refused++;
      log.warn({ ...about, code: Code[code], reason: rawMessage }, 'symbols refused');
      // Without the supplementary file there are fewer names, but some.
      if (which === 'supplement') return true;
      this.#settle(buildId);
      return false;
    }
  }

  async #offerVdso(): Promise<void> {
    const { vdso, client, log } = this.#options;
    let image: CompactImage;
    try {
      image = new CompactImage(bufferSource(vdso.bytes), { identity: vdso.buildId });
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      this.counters.unfit++;
      this.#settle(vdso.buildId);
      return;
    }
    const head: UploadHead = {
      buildId: vdso.buildId,
      fileName: '[vdso]',
      content: vdso.buildId.slice(0, 32).padEnd(16, '0'),
      quality: QUALITY[image.quality],
      supplementary: false,
      sizeBytes: image.size,
    };
    const answer = await this.#ask([head]);
    if (answer.buildIds.includes(head.buildId)) {
      this.counters.wanted++;
      const read = async (offset: number, length: number) =>
        await Promise.resolve(new Uint8Array(image.read(offset, length)));
      const result = await sendUpload(
        client,
        { ...head, read },
        { uploader: this.#uploader, origin: 'agent', signal: this.#abort.signal },
      );
      this.counters.uploadedBytes += result.sentBytes;
      if (result.state !== 'busy') this.counters.uploaded++;
      log.info({ binary: head.fileName, buildId: head.buildId, bytes: head.sizeBytes }, 'symbols uploaded');
    }
    if (answer.later.includes(head.buildId)) this.#postpone(head.buildId, answer.laterMs);
    else this.#settle(head.buildId);
  }

  /** Waits after each part until the whole is not faster than the rate. */
  #pace(sizeBytes: number): (done: number) => Promise<void> {
    const startMs = performance.now();
    const perMs = (this.#options.bytesPerSecond ?? BYTES_PER_SECOND) / 1000;
    let first: number | undefined;
    return async (done) => {
      first ??= done;
      const waitMs = (done - first) / perMs - (performance.now() - startMs);
      // Ends early when the agent stops.
      if (waitMs > 1) await sleep(waitMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      if (sizeBytes > LARGE_BYTES && done > first && this.#pending.size > 0) throw new Interrupted();
    };
  }

  #postpone(buildId: string, ms: number): void {
    this.counters.postponed++;
    // Hosts that asked together need not ask together again.
    this.#askAt(buildId, Date.now() + ms * (1 + Math.random() / 2));
  }

  #settle(buildId: string): void {
    this.#options.binaries.release(buildId);
    this.#askAt(buildId, Date.now() + ASK_AGAIN_MS);
  }

  #askAt(buildId: string, atMs: number): void {
    this.#askAgainAt.delete(buildId);
    this.#askAgainAt.set(buildId, atMs);
    for (const oldest of this.#askAgainAt.keys()) {
      if (this.#askAgainAt.size <= MAX_ASKED) break;
      this.#askAgainAt.delete(oldest);
    }
  }
}

function headsOf({ opened, level }: Candidate): UploadHead[] {
  if (level === 'symbols') return [opened.symbolsOnly];
  return opened.supplement === undefined ? [opened.upload] : [opened.supplement, opened.upload];
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

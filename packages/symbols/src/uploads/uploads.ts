/**
 * Uploads under way: one sender at a time per build id, parts in order, kept in the storage (part-store.ts).
 *
 * ```
 *   lease ──▶ parts ──last──▶ converting ──▶ stored, or refused and remembered with the reason
 *     │ no part, or hardly any, for LEASE_MS: another sender may go on where this one stopped
 *     │ no part for ABANDONED_MS: removed
 * ```
 * Every answer says where the next part is to start. A client that follows it needs no other rule: after a lost
 * answer, a restart of either side, or another sender's work, it goes on at the right place.
 */
import { FleetflameError } from '@fleetflame/profile';
import { SymbolQuality, type UploadRequest } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { BinaryRecord } from '../binary-record.ts';
import { checkBuildId, checkName } from '../build-id.ts';
import { BinaryRefused } from '../convert/converter.ts';
import { displayName } from '../display-name.ts';
import type { Intake } from '../intake.ts';
import {
  ABANDONED_MS,
  ADDRESS_SHARE,
  CONVERSION_POLL_MS,
  LATER_MS,
  LEASE_MS,
  RENEWAL_BYTES,
  type SymbolLimits,
} from '../limits.ts';
import { SOURCE_QUALITY } from '../quality.ts';
import type { RefusalReason, ServiceMetrics } from '../service-metrics.ts';
import type { SymbolStorage } from '../symbol-storage.ts';
import type { SymbolStore } from '../symbol-store.ts';
import { Leases } from './lease.ts';
import { PartStore, senderOf, type Part, type UploadFile } from './part-store.ts';
import type { Tries } from './tries.ts';
import { TurnsOfSenders, type Holder } from './turns-of-senders.ts';

/** Ends of uploads remembered: a sender asks for it within a minute. */
const MAX_ENDED = 1000;
/** A sender whose binary another server converts comes back after this. */
const ELSEWHERE_MS = 1000;
/** What senders say that they are. */
const ORIGINS: ReadonlySet<string> = new Set(['agent', 'cli']);

export interface UploadsOptions {
  readonly storage: SymbolStorage;
  readonly store: SymbolStore;
  readonly intake: Intake;
  readonly log: Logger;
  readonly metrics: ServiceMetrics;
  readonly limits: SymbolLimits;
  readonly now: () => number;
  readonly tries: Tries;
  /** An upload for a build id was stored or refused. */
  readonly onEnded: (buildId: string) => void;
  /** How long a call waits for a conversion. Default: CONVERSION_POLL_MS. */
  readonly pollMs?: number | undefined;
}

export interface UploadAnswer {
  readonly complete?: boolean;
  readonly nextOffset?: bigint;
  readonly busyMs?: number;
  readonly binary?: BinaryRecord;
}

/** What is known elsewhere of an upload under way. */
export interface UploadState {
  readonly buildId: string;
  readonly fileName: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly converting: boolean;
}

interface Head extends UploadFile, Holder {
  readonly fileName: string;
  readonly origin: string;
  readonly quality: SymbolQuality;
  readonly supplementary: boolean;
  readonly replace: boolean;
}

/** As far as this server knows: another one may have taken parts since. */
interface Receiving {
  readonly head: Head;
  parts: readonly Part[];
  received: number;
  untilMs: number;
  /** Bytes received since the lease was last renewed. */
  progress: number;
  /** Who was told to wait meanwhile. */
  contested: 'no' | 'here' | 'elsewhere';
  conversion: Promise<BinaryRecord> | undefined;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #leases: Leases;
  readonly #parts: PartStore;
  readonly #receiving = new Map<string, Receiving>();
  /** Tail of what is being done for a build id: parts are handled one at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Parts without a lease, and since when. */
  readonly #orphans = new Map<string, number>();
  /** How uploads ended, by their names, for senders that did not hear of it. */
  readonly #ended = new Map<string, Promise<BinaryRecord>>();
  readonly #senders: TurnsOfSenders;
  /** Contents of which parts of several senders gave a broken file: from now on each sends all of it. */
  readonly #mixed = new Set<string>();
  #closed = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
    this.#leases = new Leases(options.storage, options.now);
    this.#parts = new PartStore(options.storage);
    this.#senders = new TurnsOfSenders(options.now);
  }

  /** Uploads that this server has parts of under way. */
  get size(): number {
    return this.#receiving.size;
  }

  /** Whether somebody uploads for this build id now, to whatever server. */
  async isHeld(buildId: string): Promise<boolean> {
    const known = this.#receiving.get(buildId);
    if (known !== undefined && known.untilMs > this.#options.now()) return true;
    return await this.#leases.isHeld(buildId);
  }

  /** The upload for a build id that is under way. */
  async state(buildId: string): Promise<UploadState | undefined> {
    const lease = await this.#leases.read(buildId);
    if (lease === undefined || lease.untilMs <= this.#options.now()) return undefined;
    const { content, totalBytes, fileName } = lease;
    const converting = lease.converting || this.#receiving.get(buildId)?.conversion !== undefined;
    const receivedBytes = sumOf(await this.#parts.received({ buildId, content, totalBytes }));
    return { buildId, fileName, receivedBytes, totalBytes, converting };
  }

  async buildIds(): Promise<readonly string[]> {
    return [...(await this.#parts.kept()).buildIds];
  }

  /** @throws FleetflameError: invalid_input, limit_exceeded; overloaded, unavailable (try again later) */
  async accept(request: UploadRequest, address = ''): Promise<UploadAnswer> {
    const head = this.#check(request, address);
    const offset = Number(request.offset);
    const isEnd = offset > 0 && offset + request.part.length === head.totalBytes;
    const isEnded = isEnd && this.#receiving.get(head.buildId) === undefined;
    const ended = isEnded ? this.#ended.get(nameOf(head)) : undefined;
    // The answer to the last part got lost, or the conversion ended between two calls.
    if (ended !== undefined) return { complete: true, binary: await ended };
    const known = await this.#options.store.peek(head.buildId);
    // Another server may have converted it.
    if (known !== undefined && (this.#isAsGood(known, head) || isStored(known, head, isEnded))) {
      this.#options.metrics.uploads.inc({ result: 'known' });
      return { complete: true, binary: known };
    }
    const answer = await this.#inTurn(head.buildId, () => this.#take(head, offset, request.part));
    if (!('conversion' in answer)) return answer;
    // Who sent the last part may have other things to do; who asks wants to know.
    if (request.part.length > 0) return { nextOffset: BigInt(head.totalBytes) };
    return await this.#wait(head, answer.conversion);
  }

  /** Removes what nobody has added to for long. Any server may, at any time. */
  async removeAbandoned(): Promise<void> {
    const nowMs = this.#options.now();
    for (const [buildId, { untilMs, conversion }] of this.#receiving) {
      if (untilMs < nowMs && conversion === undefined) this.#receiving.delete(buildId);
    }
    const { buildIds } = await this.#parts.kept();
    for (const buildId of this.#orphans.keys()) if (!buildIds.has(buildId)) this.#orphans.delete(buildId);
    for (const buildId of buildIds) {
      const lease = await this.#leases.read(buildId);
      // Parts without a lease: its holder is just beginning, or a server died while it removed them.
      const untilMs = lease?.untilMs ?? this.#orphans.get(buildId) ?? nowMs;
      if (lease === undefined) this.#orphans.set(buildId, untilMs);
      if (untilMs + ABANDONED_MS > nowMs) continue;
      this.#options.metrics.uploads.inc({ result: 'expired' });
      this.#options.log.warn(
        { buildId, fileName: lease?.fileName, total: lease?.totalBytes },
        'an upload of symbols stopped half-way: given up',
      );
      await this.#remove(buildId);
    }
  }

  /** Parts stay where they are: another server goes on with them, or this one after its next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#turns.values());
    for (const { conversion } of this.#receiving.values()) await conversion?.catch(() => undefined);
  }

  #isAsGood(record: BinaryRecord, head: Head): boolean {
    const { holder, content, quality } = head;
    const isSame = quality === SOURCE_QUALITY[record.source] && !head.supplementary;
    if (isSame && this.#options.store.wantsOpinion(record, { uploader: holder, content })) return false;
    return isAsGood(record, head);
  }

  #refuse(
    reason: RefusalReason,
    code: 'invalid_input' | 'limit_exceeded' | 'overloaded',
    message: string,
    field?: string,
  ): never {
    this.#options.metrics.refused.inc({ reason });
    throw new FleetflameError(code, message, field === undefined ? {} : { field });
  }

  #check(request: UploadRequest, address: string): Head {
    const { limits, metrics } = this.#options;
    const { buildId, part, content, uploader, quality, supplementary, replace } = request;
    try {
      checkBuildId(buildId, 'build_id');
      checkName(content, 'content');
      checkName(uploader, 'uploader');
    } catch (error) {
      metrics.refused.inc({ reason: 'malformed' });
      throw error;
    }
    const totalBytes = Number(request.totalBytes);
    const offset = Number(request.offset);
    const limit = supplementary ? 'supplementBytes' : 'uploadBytes';
    if (totalBytes > limits[limit]) {
      const message = `total_bytes: ${totalBytes} bytes, the most is ${limits[limit]}. Upload the symbol sections only.`;
      this.#refuse(limit, 'limit_exceeded', message, 'total_bytes');
    }
    if (totalBytes === 0) this.#refuse('malformed', 'invalid_input', 'total_bytes: 0.', 'total_bytes');
    if (part.length > limits.partBytes) {
      const message = `part: ${part.length} bytes, the most is ${limits.partBytes}. Send smaller parts.`;
      this.#refuse('partBytes', 'limit_exceeded', message, 'part');
    }
    if (part.length > 0 && part.length * limits.parts < totalBytes && offset + part.length < totalBytes) {
      const message = `part: ${part.length} bytes of ${totalBytes}: an upload has at most ${limits.parts} parts. Send larger parts.`;
      this.#refuse('parts', 'limit_exceeded', message, 'part');
    }
    if (offset + part.length > totalBytes) {
      const message = `part: bytes ${offset} to ${offset + part.length} of an upload of ${totalBytes}.`;
      this.#refuse('malformed', 'invalid_input', message, 'offset');
    }
    const fileName = displayName(request.fileName);
    const origin = ORIGINS.has(request.origin) ? request.origin : 'upload';
    const sender = { holder: uploader, address, origin };
    return { buildId, content, totalBytes, fileName, quality, supplementary, replace, ...sender };
  }

  async #inTurn<T>(buildId: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(buildId) ?? Promise.resolve()).then(work);
    const tail = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(buildId, tail);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(buildId) === tail) this.#turns.delete(buildId);
    }
  }

  /** What to answer; or, when all is there, what to wait for. */
  async #take(
    head: Head,
    offset: number,
    part: Uint8Array,
  ): Promise<UploadAnswer | { readonly conversion: Promise<BinaryRecord> }> {
    if (this.#closed)
      throw new FleetflameError('cancelled', 'The server is shutting down: send the binary again later.');
    const receiving = await this.#receivingOf(head);
    if ('busyMs' in receiving) return receiving;
    if (receiving.conversion !== undefined) return { conversion: receiving.conversion };
    // Another server may have taken what this one does not know of.
    if (offset > receiving.received) setParts(receiving, await this.#received(head));
    if (part.length > 0 && offset === receiving.received) {
      setParts(receiving, [...receiving.parts, await this.#parts.put(head, offset, part, head.holder)]);
      receiving.progress += part.length;
      this.#options.metrics.receivedBytes.inc(part.length);
    } else if (part.length > 0) this.#options.metrics.uploads.inc({ result: 'part_unneeded' });
    if (receiving.received < head.totalBytes) return { nextOffset: BigInt(receiving.received) };
    return { conversion: this.#convert(receiving) };
  }

  /** The upload that this sender has the lease for; or how long another one has it. */
  async #receivingOf(head: Head): Promise<Receiving | { readonly busyMs: number }> {
    const { buildId, holder, content, fileName, totalBytes } = head;
    const { now, limits, metrics } = this.#options;
    const known = this.#receiving.get(buildId);
    const left = (known?.untilMs ?? 0) - now();
    const isOurs = known?.head.holder === holder && nameOf(known.head) === nameOf(head);
    if (known !== undefined && isOurs && (left > LEASE_MS / 2 || known.conversion !== undefined))
      return known;
    if (known !== undefined && known.head.holder !== holder && left > 0) {
      const isElsewhere = known.contested === 'elsewhere' || known.head.address !== head.address;
      known.contested = isElsewhere ? 'elsewhere' : 'here';
      return this.#busy('busy', left);
    }
    // Who sends next to nothing keeps what he has, and gets no more time.
    if (known !== undefined && left > 0 && known.progress < RENEWAL_BYTES && isOurs) return known;
    if (known !== undefined && left <= 0 && known.contested !== 'no') {
      const isElsewhere = known.contested === 'elsewhere';
      this.#senders.bar(isElsewhere ? known.head : { ...known.head, address: '' });
      known.contested = 'no';
    }
    const waitMs = this.#senders.waitMs(head);
    if (waitMs > 0) return this.#busy('busy', waitMs);
    if (known === undefined) {
      const full = this.#isFull(head);
      if (full !== undefined) {
        metrics.refused.inc({ reason: full });
        return this.#busy('postponed', LATER_MS);
      }
    }
    const lease = known === undefined ? await this.#leases.read(buildId) : undefined;
    if (lease?.converting === true && lease.holder === holder && lease.untilMs > now()) {
      // Another server does so, and will have stored it soon.
      return this.#busy('busy', ELSEWHERE_MS);
    }
    const answer = await this.#leases.take(buildId, {
      holder,
      content,
      fileName,
      totalBytes,
      converting: false,
    });
    if (!answer.held) return this.#busy('busy', answer.busyMs);
    if (known !== undefined && isOurs && left > 0) {
      known.untilMs = answer.untilMs;
      known.progress = 0;
      return known;
    }
    const receiving: Receiving = {
      head,
      parts: [],
      received: 0,
      untilMs: answer.untilMs,
      progress: 0,
      contested: known?.head.holder === holder ? known.contested : 'no',
      conversion: undefined,
    };
    setParts(receiving, await this.#received(head));
    if (receiving.received === 0 && (await this.#parts.kept()).bytes + totalBytes > limits.keptBytes) {
      metrics.refused.inc({ reason: 'keptBytes' });
      await this.#leases.release(buildId);
      return this.#busy('postponed', LATER_MS);
    }
    this.#receiving.set(buildId, receiving);
    this.#ended.delete(nameOf(head));
    return receiving;
  }

  /** What this server takes no more of at once; undefined: it takes it. */
  #isFull({ address, totalBytes }: Head): 'uploads' | 'addressUploads' | 'addressBytes' | undefined {
    const { limits } = this.#options;
    if (this.#receiving.size >= limits.uploads) return 'uploads';
    if (address === '') return undefined;
    const own = [...this.#receiving.values()].filter(({ head }) => head.address === address);
    if (own.length >= Math.max(1, limits.uploads * ADDRESS_SHARE)) return 'addressUploads';
    const bytes = own.reduce((sum, { head }) => sum + head.totalBytes, totalBytes);
    return own.length > 0 && bytes > limits.keptBytes * ADDRESS_SHARE ? 'addressBytes' : undefined;
  }

  async #received(head: Head): Promise<readonly Part[]> {
    return await this.#parts.received(head, this.#mixed.has(contentOf(head)) ? head.holder : undefined);
  }

  #busy(result: 'busy' | 'postponed', ms: number): { readonly busyMs: number } {
    this.#options.metrics.uploads.inc({ result });
    return { busyMs: Math.max(1, Math.ceil(ms)) };
  }

  #convert(receiving: Receiving): Promise<BinaryRecord> {
    const { buildId } = receiving.head;
    const conversion = this.#finish(receiving).finally(() => {
      if (this.#receiving.get(buildId) === receiving) this.#receiving.delete(buildId);
    });
    receiving.conversion = conversion;
    // Who waits for it hears of a failure; perhaps nobody does.
    conversion.then(
      () => this.#remember(receiving.head, conversion),
      (error: unknown) => {
        // A failure of ours is tried again, that of the file is its answer.
        if (error instanceof FleetflameError && error.code === 'invalid_input')
          this.#remember(receiving.head, conversion);
      },
    );
    return conversion;
  }

  async #finish({ head, parts }: Receiving): Promise<BinaryRecord> {
    const { intake, metrics, log } = this.#options;
    const { buildId, holder, content, fileName, totalBytes, quality, supplementary, replace, origin } = head;
    const sender = { uploader: holder, content };
    const claim = { holder, content, fileName, totalBytes, converting: true };
    const renew = async (): Promise<void> => {
      await this.#leases.take(buildId, claim).catch((error: unknown) => {
        log.warn({ err: error, buildId }, 'the lease of an upload cannot be renewed');
      });
    };
    await renew();
    const timer = setInterval(() => void renew(), LEASE_MS / 2);
    try {
      const file = {
        buildId,
        fileName,
        uploadBytes: totalBytes,
        content,
        attempted: quality,
        supplementary,
        replace,
        origin,
        uploader: holder,
        turnOf: head.address || holder,
      };
      const record = await intake.take(file, (path) => this.#parts.assemble(parts, path));
      clearInterval(timer);
      // Something else is in force, or what came of it is less than it was said to have.
      const isVain = record.content !== content || SOURCE_QUALITY[record.source] < quality;
      if (isVain && !supplementary) this.#options.tries.add(buildId, sender, totalBytes);
      metrics.uploads.inc({ result: record.content === content ? 'stored' : 'kept_other' });
      await this.#remove(buildId);
      this.#options.onEnded(buildId);
      return record;
    } catch (error) {
      clearInterval(timer);
      if (error instanceof BinaryRefused) {
        await this.#remove(buildId);
        this.#options.onEnded(buildId);
        if (parts.some((part) => part.sender !== senderOf(holder))) {
          metrics.uploads.inc({ result: 'mixed' });
          this.#mixed.add(contentOf(head));
          for (const oldest of this.#mixed) {
            if (this.#mixed.size <= MAX_ENDED) break;
            this.#mixed.delete(oldest);
          }
          throw new FleetflameError(
            'unavailable',
            `Parts of ${buildId} that several senders sent do not fit together: send all of it.`,
          );
        }
        this.#options.tries.add(buildId, sender, totalBytes);
        metrics.uploads.inc({ result: 'refused' });
        return this.#refuse('binary', 'invalid_input', `${fileName || buildId}: ${error.message}.`);
      }
      if (error instanceof FleetflameError && (error.code === 'corrupt_data' || error.code === 'not_found')) {
        // Parts are damaged or gone: the sender is told to begin anew.
        await this.#remove(buildId);
        throw new FleetflameError('unavailable', `Parts of ${buildId} were lost: send it again.`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async #wait(head: Head, conversion: Promise<BinaryRecord>): Promise<UploadAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#options.pollMs ?? CONVERSION_POLL_MS);
    });
    try {
      const binary = await Promise.race([conversion, late]);
      return binary === undefined ? { nextOffset: BigInt(head.totalBytes) } : { complete: true, binary };
    } finally {
      clearTimeout(timer);
    }
  }

  #remember(head: Head, outcome: Promise<BinaryRecord>): void {
    this.#ended.set(nameOf(head), outcome);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MAX_ENDED) break;
      this.#ended.delete(oldest);
    }
  }

  async #remove(buildId: string): Promise<void> {
    await this.#parts.remove(buildId);
    await this.#leases.release(buildId);
  }
}

function setParts(receiving: Receiving, parts: readonly Part[]): void {
  receiving.parts = parts;
  receiving.received = sumOf(parts);
}

function sumOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.bytes, 0);
}

/** One upload by one sender. */
function nameOf({ buildId, content, totalBytes, holder }: Head): string {
  return `${buildId} ${content} ${totalBytes} ${holder}`;
}

function contentOf({ buildId, content, totalBytes }: UploadFile): string {
  return `${buildId} ${content} ${totalBytes}`;
}

/** Another server has converted it meanwhile. */
function isStored(record: BinaryRecord, { content, holder }: Head, isEnded: boolean): boolean {
  return isEnded && record.content === content && (record.uploader === '' || record.uploader === holder);
}

/** Whether an upload can add nothing to what is stored. */
function isAsGood(record: BinaryRecord, head: Head): boolean {
  if (head.replace || record.table === '') return false;
  if (head.supplementary) return record.source === 'supplementary';
  if (record.source === 'supplementary') return false;
  // Who does not say what the file has may have the best.
  const quality = head.quality === SymbolQuality.UNSPECIFIED ? SymbolQuality.DWARF : head.quality;
  if (record.missingSupplement !== '' && quality === SymbolQuality.DWARF) return false;
  return SOURCE_QUALITY[record.source] >= quality;
}

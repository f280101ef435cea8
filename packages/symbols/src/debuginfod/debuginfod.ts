/**
 * Asks debuginfod servers for what queries and agents met without names, or with poor ones.
 *
 * ```
 *   met ──delay──▶ asking ──▶ found: converted and stored, like an upload
 *                     ├─────▶ no server has it: not asked again for a day, by anybody (misses.ts)
 *                     └─────▶ a server failed: again in ten minutes; the server itself has a pause
 * ```
 * Nobody waits for any of it: names are there at a later query.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { FleetflameError } from '@fleetflame/profile';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { BinaryRecord } from '../binary-record.ts';
import { BinaryRefused } from '../convert/converter.ts';
import { supplementOfFile, type Intake } from '../intake.ts';
import type { SymbolLimits } from '../limits.ts';
import { SOURCE_QUALITY } from '../quality.ts';
import type { SymbolStorage } from '../symbol-storage.ts';
import type { SymbolStore } from '../symbol-store.ts';
import { Leases } from '../uploads/lease.ts';
import type { DebuginfodMetrics, DebuginfodResult } from './debuginfod-metrics.ts';
import { fetchDebuginfo, type DebuginfodKind, type FetchResult } from './fetch-debuginfo.ts';
import type { DebuginfodLimits } from './limits.ts';
import { Misses } from './misses.ts';
import { isInNeed } from './needs.ts';

export interface DebuginfodOptions {
  /** Base URLs, asked in this order. */
  readonly servers: readonly string[];
  readonly storage: SymbolStorage;
  readonly store: SymbolStore;
  readonly intake: Intake;
  readonly log: Logger;
  readonly metrics: DebuginfodMetrics;
  readonly symbolLimits: SymbolLimits;
  readonly limits: DebuginfodLimits;
  readonly now: () => number;
}

/** A server that failed. */
interface Pause {
  readonly untilMs: number;
  readonly ms: number;
}

/** What was found for a build id by asking all servers. */
type Answer = 'found' | 'not_found' | 'failed';

const TICK_MS = 1000;

export class Debuginfod {
  readonly #options: DebuginfodOptions;
  readonly #holder = randomBytes(16).toString('hex');
  readonly #leases: Leases;
  readonly #misses: Misses;
  /** Build id → when it is due. In order of being met. */
  readonly #queue = new Map<string, number>();
  readonly #fetching = new Map<string, Promise<void>>();
  /** Build id → until when it is left alone, and why. In order of that. */
  readonly #settled = new Map<string, { readonly untilMs: number; readonly why: string }>();
  readonly #pauses = new Map<string, Pause>();
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(options: DebuginfodOptions) {
    this.#options = options;
    // Not those of uploads: an agent that has the file must not wait for a server that may not have it.
    this.#leases = new Leases(options.storage, options.now, {
      prefix: 'symbol-fetches/',
      leaseMs: options.limits.fetchMs,
    });
    this.#misses = new Misses(options.storage, options.servers, options.now);
    this.#timer = setInterval(() => this.work(), TICK_MS);
    this.#timer.unref();
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** For SymbolStore.onAsked: somebody wants names of a binary. Returns at once. */
  readonly met = (buildId: string, record: BinaryRecord | undefined): void => {
    const { now, limits, metrics } = this.#options;
    if (!isInNeed(buildId, record) || this.#queue.has(buildId) || this.#fetching.has(buildId)) return;
    if ((this.#settled.get(buildId)?.untilMs ?? 0) > now()) return;
    if (this.#queue.size >= limits.queued) {
      metrics.asked.inc({ result: 'queue_full' });
      return;
    }
    this.#queue.set(buildId, now() + limits.delayMs);
  };

  /** What waits or is being fetched. */
  buildIds(): readonly string[] {
    return [...this.#queue.keys(), ...this.#fetching.keys()];
  }

  /** For people: see BinaryStatus.debuginfod. */
  state(buildId: string): string {
    if (this.#fetching.has(buildId)) return 'fetching';
    if (this.#queue.has(buildId)) return 'waiting';
    const settled = this.#settled.get(buildId);
    return settled === undefined || settled.untilMs <= this.#options.now() ? '' : settled.why;
  }

  /** Begins with what is due. */
  work(): void {
    const { now, limits } = this.#options;
    for (const [buildId, dueMs] of this.#queue) {
      if (this.#fetching.size >= limits.concurrent || this.#abort.signal.aborted) return;
      if (dueMs > now()) continue;
      this.#queue.delete(buildId);
      const fetching = this.#fetch(buildId)
        .catch((error: unknown) => {
          this.#options.log.error(
            { err: error, buildId },
            'symbols from debuginfod servers could not be stored',
          );
          this.#options.metrics.asked.inc({ result: 'failed' });
          this.#settle(buildId, this.#options.limits.failedMs, 'failed');
        })
        .finally(() => this.#fetching.delete(buildId));
      this.#fetching.set(buildId, fetching);
    }
  }

  /** Resolves when nothing is being fetched. */
  async settled(): Promise<void> {
    await Promise.all(this.#fetching.values());
  }

  async sweep(): Promise<void> {
    await this.#misses.sweep();
    await this.#leases.sweep();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.settled();
  }

  async #fetch(buildId: string): Promise<void> {
    const { store, limits, metrics } = this.#options;
    const before = await store.read(buildId);
    if (!isInNeed(buildId, before)) return;
    const missedUntilMs = await this.#misses.until(buildId);
    if (missedUntilMs !== undefined) {
      metrics.asked.inc({ result: 'known_miss' });
      this.#settleUntil(buildId, missedUntilMs, 'not_found');
      return;
    }
    const claim = { holder: this.#holder, content: '', fileName: '', totalBytes: 0, converting: true };
    const lease = await this.#leases.take(buildId, claim);
    if (!lease.held) {
      // Another server asks.
      this.#queue.set(buildId, this.#options.now() + lease.busyMs);
      return;
    }
    try {
      const answer = await this.#askAll(buildId, before);
      metrics.asked.inc({ result: answer });
      if (answer === 'failed') this.#settle(buildId, limits.failedMs, 'failed');
      else if (answer === 'not_found' || isInNeed(buildId, await store.read(buildId))) {
        // Also what was found and is no better than what there was.
        await this.#misses.add(buildId, this.#options.now() + limits.notFoundMs);
        this.#settle(buildId, limits.notFoundMs, answer);
      }
    } finally {
      await this.#leases.release(buildId);
    }
  }

  async #askAll(buildId: string, before: BinaryRecord | undefined): Promise<Answer> {
    const debuginfo = await this.#obtain(buildId, 'debuginfo', false);
    if (debuginfo === 'found') return 'found';
    const quality = before === undefined ? SymbolQuality.UNSPECIFIED : SOURCE_QUALITY[before.source];
    if (quality >= SymbolQuality.SYMTAB) return debuginfo;
    const executable = await this.#obtain(buildId, 'executable', false);
    if (executable === 'found') return 'found';
    return debuginfo === 'failed' ? debuginfo : executable;
  }

  /** Asks one server after the other until one has a file that can be used. */
  async #obtain(buildId: string, kind: DebuginfodKind, supplementary: boolean): Promise<Answer> {
    const { servers, intake, log, metrics, symbolLimits, limits } = this.#options;
    const maxBytes = supplementary ? symbolLimits.supplementBytes : symbolLimits.uploadBytes;
    let worst: Answer = 'not_found';
    let isFound = false;
    for (const server of servers) {
      if (this.#abort.signal.aborted || (this.#pauses.get(server)?.untilMs ?? 0) > this.#options.now()) {
        worst = 'failed';
        continue;
      }
      const path = await intake.scratchPath();
      try {
        const fetched = await fetchDebuginfo(server, buildId, kind, path, {
          maxBytes,
          limits,
          signal: this.#abort.signal,
        });
        metrics.requests.inc({ result: fetched.result });
        this.#note(server, buildId, fetched);
        if (fetched.result === 'failed') worst = 'failed';
        if (fetched.result !== 'found') continue;
        metrics.bytes.inc(fetched.bytes);
        if (!supplementary) await this.#obtainSupplement(path);
        const record = await intake.takeFile(
          {
            buildId,
            fileName: fetched.fileName || `${buildId.slice(0, 16)}.${kind}`,
            uploadBytes: fetched.bytes,
            attempted: kind === 'debuginfo' ? SymbolQuality.DWARF : SymbolQuality.SYMTAB,
            origin: server,
            supplementary,
          },
          path,
        );
        isFound = true;
        // Another server may have more.
        if (supplementary || kind === 'executable' || !isInNeed(buildId, record)) break;
      } catch (error) {
        if (!(error instanceof BinaryRefused)) throw error;
        metrics.requests.inc({ result: 'unusable' });
        log.warn(
          { buildId, server, kind, reason: error.message },
          'a debuginfod server has a file that cannot be used',
        );
      } finally {
        await rm(path, { force: true });
      }
    }
    return isFound ? 'found' : worst;
  }

  /** What the debug information of this file refers to; without it there are fewer names, but some. */
  async #obtainSupplement(path: string): Promise<void> {
    const buildId = supplementOfFile(path);
    if (buildId === undefined || (await this.#options.store.supplement(buildId)) !== undefined) return;
    await this.#obtain(buildId, 'debuginfo', true);
  }

  /** A server that fails again and again is asked less and less. */
  #note(server: string, buildId: string, fetched: FetchResult): void {
    const { log, limits, now } = this.#options;
    if (fetched.result === 'too_large')
      log.warn({ server, buildId, reason: fetched.problem }, 'a debug file is too large');
    if (fetched.result !== 'failed') {
      this.#pauses.delete(server);
      return;
    }
    if (this.#abort.signal.aborted) return;
    const before = this.#pauses.get(server)?.ms;
    const ms =
      before === undefined ? limits.serverFirstPauseMs : Math.min(before * 2, limits.serverLongestPauseMs);
    this.#pauses.set(server, { untilMs: now() + ms, ms });
    log.warn(
      { server, buildId, reason: fetched.problem, pauseMs: ms },
      'a debuginfod server failed: it has a pause',
    );
  }

  #settle(buildId: string, ms: number, why: DebuginfodResult): void {
    this.#settleUntil(buildId, this.#options.now() + ms, why);
  }

  #settleUntil(buildId: string, untilMs: number, why: DebuginfodResult): void {
    this.#settled.delete(buildId);
    this.#settled.set(buildId, { untilMs, why });
    for (const oldest of this.#settled.keys()) {
      if (this.#settled.size <= this.#options.limits.remembered) break;
      this.#settled.delete(oldest);
    }
  }
}

/** @throws FleetflameError invalid_input: the first that is no http or https URL */
export function checkServers(servers: readonly string[]): readonly string[] {
  return servers.map((server) => {
    const url = URL.canParse(server) ? new URL(server) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      throw new FleetflameError(
        'invalid_input',
        `debuginfod: "${server}" is not an http:// or https:// URL.`,
        {
          field: 'debuginfod',
        },
      );
    }
    return url.href.replace(/\/$/, '');
  });
}

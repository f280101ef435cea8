/**
 * Build ids that a process met whose names it has none or poor ones of, told through the storage to the process that
 * asks debuginfod servers:
 *
 * ```
 * symbol-needs/<build id>
 * ```
 * The one removes what it has taken up; the other does not say the same again for a while.
 */
import type { Logger } from 'pino';
import type { BinaryRecord } from '../binary-record.ts';
import { isBuildId } from '../build-id.ts';
import type { SymbolStorage } from '../symbol-storage.ts';

const PREFIX = 'symbol-needs/';
/** A need is not said again for this long. */
const SAID_MS = 30 * 60_000;
/** Build ids remembered as said. */
const MAX_SAID = 100_000;
/** Needs being written at once; what comes beyond is said when it is met again. */
const MAX_WRITING = 64;

/** Whether a debuginfod server could know more; what agents made up for binaries without an id, none knows. */
export function isInNeed(buildId: string, record: BinaryRecord | undefined): boolean {
  if (!isBuildId(buildId) || (buildId.length === 38 && buildId.startsWith('68746c'))) return false;
  if (record === undefined) return true;
  return record.source !== 'supplementary' && (record.source !== 'dwarf' || record.missingSupplement !== '');
}

export class SymbolNeeds {
  readonly #storage: SymbolStorage;
  readonly #log: Logger;
  readonly #now: () => number;
  /** Build id → when it was said. In order of that. */
  readonly #said = new Map<string, number>();
  readonly #writing = new Set<Promise<void>>();

  constructor(storage: SymbolStorage, log: Logger, now: () => number = Date.now) {
    this.#storage = storage;
    this.#log = log;
    this.#now = now;
  }

  /** For SymbolStore.onAsked: returns at once. */
  readonly say = (buildId: string, record: BinaryRecord | undefined): void => {
    if (!isInNeed(buildId, record) || this.#writing.size >= MAX_WRITING) return;
    if ((this.#said.get(buildId) ?? -SAID_MS) + SAID_MS > this.#now()) return;
    this.#said.delete(buildId);
    this.#said.set(buildId, this.#now());
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= MAX_SAID) break;
      this.#said.delete(oldest);
    }
    const write: Promise<void> = this.#storage
      .put(PREFIX + buildId, new TextEncoder().encode('need\n'))
      .catch((error: unknown) => this.#log.warn({ err: error, buildId }, 'a need of symbols cannot be told'))
      .finally(() => this.#writing.delete(write));
    this.#writing.add(write);
  };

  /** Takes up to `most` of what was said, by any process. */
  async take(most: number): Promise<string[]> {
    const keys = (await this.#storage.list(PREFIX)).slice(0, most);
    for (const key of keys) await this.#storage.delete(key);
    return keys.map((key) => key.slice(PREFIX.length)).filter(isBuildId);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#writing);
  }
}

/**
 * Who uploads for a build id, agreed on through the storage, since the parts of an upload may reach any server.
 *
 * ```
 * symbol-uploads/<build id>/lease/<number>     {holder, untilMs, …}; the highest number counts
 * ```
 * A key is written once: of two that take the next number at once, one is refused. The holder takes the next number
 * too, to go on; others may when `untilMs` has passed. Servers whose clocks differ grant a little too early or too
 * late, which costs an upload twice, and no correctness.
 */
import { FleetflameError } from '@fleetflame/profile';
import { LEASE_MS } from '../limits.ts';
import type { SymbolStorage } from '../symbol-storage.ts';

/** What is uploaded, and by whom. */
export interface UploadClaim {
  /** The sender's name. */
  readonly holder: string;
  readonly content: string;
  readonly fileName: string;
  readonly totalBytes: number;
  readonly converting: boolean;
}

export interface UploadLease extends UploadClaim {
  readonly untilMs: number;
}

export type LeaseAnswer =
  | { readonly held: true; readonly untilMs: number }
  | { readonly held: false; readonly busyMs: number };

/** Others were faster so many times in a row. */
const MAX_ATTEMPTS = 5;

export const UPLOADS_PREFIX = 'symbol-uploads/';

interface Numbered {
  readonly number: number;
  readonly lease: UploadLease | undefined;
}

export class Leases {
  readonly #storage: SymbolStorage;
  readonly #now: () => number;
  readonly #prefix: string;
  readonly #leaseMs: number;

  /**
   * @param prefix of keys: leases of other prefixes are other leases
   * @param leaseMs for how long one is given
   */
  constructor(
    storage: SymbolStorage,
    now: () => number,
    {
      prefix = UPLOADS_PREFIX,
      leaseMs = LEASE_MS,
    }: { readonly prefix?: string; readonly leaseMs?: number } = {},
  ) {
    this.#storage = storage;
    this.#now = now;
    this.#prefix = prefix;
    this.#leaseMs = leaseMs;
  }

  /** The lease of a build id, also when it has ended. */
  async read(buildId: string): Promise<UploadLease | undefined> {
    return (await this.#newest(buildId)).lease;
  }

  /** Whether somebody uploads for this build id now. */
  async isHeld(buildId: string): Promise<boolean> {
    return ((await this.read(buildId))?.untilMs ?? 0) > this.#now();
  }

  async take(buildId: string, claim: UploadClaim): Promise<LeaseAnswer> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { number, lease } = await this.#newest(buildId);
      const left = (lease?.untilMs ?? 0) - this.#now();
      if (lease !== undefined && lease.holder !== claim.holder && left > 0)
        return { held: false, busyMs: left };
      const untilMs = this.#now() + this.#leaseMs;
      const bytes = new TextEncoder().encode(JSON.stringify({ ...claim, untilMs }));
      try {
        await this.#storage.put(this.#key(buildId, number + 1), bytes);
      } catch (error) {
        if (!(error instanceof FleetflameError) || error.code !== 'invalid_input') throw error;
        // Somebody was faster: another sender, or the same one by way of another server.
        continue;
      }
      if (number >= 0) await this.#storage.delete(this.#key(buildId, number));
      return { held: true, untilMs };
    }
    return { held: false, busyMs: this.#leaseMs };
  }

  /** The upload has ended, well or not. */
  async release(buildId: string): Promise<void> {
    for (const key of await this.#storage.list(this.#folder(buildId))) await this.#storage.delete(key);
  }

  /** Deletes leases that have ended and that nobody gave back. */
  async sweep(): Promise<void> {
    const buildIds = new Set((await this.#storage.list(this.#prefix)).map((key) => key.split('/')[1] ?? ''));
    for (const buildId of buildIds) if (!(await this.isHeld(buildId))) await this.release(buildId);
  }

  #folder(buildId: string): string {
    return `${this.#prefix}${buildId}/lease/`;
  }

  #key(buildId: string, number: number): string {
    return this.#folder(buildId) + number.toString(16).padStart(8, '0');
  }

  async #newest(buildId: string): Promise<Numbered> {
    for (const key of (await this.#storage.list(this.#folder(buildId))).toReversed()) {
      const number = Number.parseInt(key.slice(this.#folder(buildId).length), 16);
      if (!Number.isSafeInteger(number)) continue;
      try {
        return { number, lease: decodeLease(await this.#storage.get(key)) };
      } catch (error) {
        if (!(error instanceof FleetflameError) || error.code !== 'not_found') throw error;
        // It was replaced meanwhile; whoever did so has the next number, and ours will be refused.
        return { number, lease: undefined };
      }
    }
    return { number: -1, lease: undefined };
  }
}

/** Undefined when it is damaged: then anybody may take the next one. */
function decodeLease(bytes: Uint8Array): UploadLease | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  return isLease(value) ? value : undefined;
}

function isLease(value: unknown): value is UploadLease {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string, type: string): boolean => typeof Reflect.get(value, name) === type;
  return (
    ['holder', 'content', 'fileName'].every((name) => has(name, 'string')) &&
    ['totalBytes', 'untilMs'].every((name) => has(name, 'number')) &&
    has('converting', 'boolean')
  );
}

/**
 * Bytes that may be held at once. Who finds no room waits for its turn, in the order of arrival; whoever has its share
 * already does not keep the others waiting:
 *
 *   take ──▶ room, and room in the owner's share ──────────────▶ lease ──▶ release
 *        └─▶ waits (counted by what its window holds meanwhile) ─┘
 *             └─▶ too many wait, or for too long: come again
 */
import type { DoorLimits } from './limits.ts';
import { overloaded, type Refusal, type RefusalReason } from './refusal.ts';

export interface Lease {
  /** True: it holds at least so many bytes now. False: there is no room. Never waits: who holds some and waits for more may wait for himself. */
  cover(bytes: number): boolean;
  /** Gives back what is beyond so many bytes. */
  shrink(bytes: number): void;
  release(): void;
}

interface Waiting {
  readonly owner: string;
  readonly bytes: number;
  readonly held: number;
  readonly grant: (lease: Lease) => void;
}

export interface ReceiveBudgetOptions {
  readonly bytes: number;
  readonly limits: Pick<DoorLimits, 'addressShare' | 'waitingBytes' | 'waitMs'>;
  /** What a refusal is counted as when there is no room for more. */
  readonly reason: RefusalReason & ('receivingBytes' | 'inflatedBytes');
}

export class ReceiveBudget {
  readonly #options: ReceiveBudgetOptions;
  readonly #owners = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #held = 0;
  #waitingBytes = 0;

  constructor(options: ReceiveBudgetOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * @param held what the sender has in our memory while it waits, bytes
   * @throws Refusal when there is no room for waiting either, or its turn did not come
   */
  async take(owner: string, bytes: number, held: number, signal: AbortSignal): Promise<Lease> {
    if (this.#fits(owner, bytes) && !this.#isBehind(owner)) return this.#lease(owner, bytes);
    const { waitingBytes, waitMs } = this.#options.limits;
    if (this.#waitingBytes + held > waitingBytes) throw this.#full('waitingBytes');
    return await new Promise<Lease>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', gone);
        this.#waiting.delete(waiting);
        this.#waitingBytes -= held;
      };
      const waiting: Waiting = {
        owner,
        bytes,
        held,
        grant: (lease) => {
          end();
          resolve(lease);
        },
      };
      const giveUp = (reason: RefusalReason): void => {
        end();
        reject(this.#full(reason));
      };
      const gone = (): void => giveUp('waitMs');
      const timer = setTimeout(gone, waitMs);
      signal.addEventListener('abort', gone);
      this.#waiting.add(waiting);
      this.#waitingBytes += held;
    });
  }

  /** Who holds nothing may have anything that fits: a share is no limit of size. */
  #fits(owner: string, bytes: number): boolean {
    const { bytes: all, limits } = this.#options;
    const own = this.#owners.get(owner) ?? 0;
    if (this.#held + bytes > all && this.#held > 0) return false;
    return own === 0 || own + bytes <= all * limits.addressShare;
  }

  /** Somebody waits whose turn is before that of the owner. */
  #isBehind(owner: string): boolean {
    for (const waiting of this.#waiting) {
      if (waiting.owner === owner || this.#isOwnFault(waiting)) continue;
      return true;
    }
    return [...this.#waiting].some((waiting) => waiting.owner === owner);
  }

  /** It waits because its owner has his share. */
  #isOwnFault({ owner, bytes }: Waiting): boolean {
    const { bytes: all, limits } = this.#options;
    const own = this.#owners.get(owner) ?? 0;
    return own > 0 && own + bytes > all * limits.addressShare;
  }

  #lease(owner: string, first: number): Lease {
    let mine = 0;
    let released = false;
    const change = (bytes: number): void => {
      mine += bytes;
      this.#held += bytes;
      const own = (this.#owners.get(owner) ?? 0) + bytes;
      if (own === 0) this.#owners.delete(owner);
      else this.#owners.set(owner, own);
    };
    change(first);
    return {
      cover: (bytes) => {
        const more = bytes - mine;
        if (more <= 0) return true;
        const { bytes: all, limits } = this.#options;
        const own = this.#owners.get(owner) ?? 0;
        const isAlone = own === mine;
        if (this.#held + more > all && this.#held > mine) return false;
        if (!isAlone && own + more > all * limits.addressShare) return false;
        change(more);
        return true;
      },
      shrink: (bytes) => {
        if (released || bytes >= mine) return;
        change(bytes - mine);
        this.#wake();
      },
      release: () => {
        if (released) return;
        released = true;
        change(-mine);
        this.#wake();
      },
    };
  }

  #wake(): void {
    for (const waiting of this.#waiting) {
      if (this.#fits(waiting.owner, waiting.bytes)) {
        waiting.grant(this.#lease(waiting.owner, waiting.bytes));
        continue;
      }
      // The next of another owner may have his turn; one that only lacks room of the whole is not passed.
      if (!this.#isOwnFault(waiting)) return;
    }
  }

  #full(reason: RefusalReason): Refusal {
    const { bytes } = this.#options;
    return overloaded(reason, `${bytes} bytes of requests are being received already, which is the limit`);
  }

  /** For who found that `cover` had no room. */
  refusal(): Refusal {
    return this.#full(this.#options.reason);
  }
}

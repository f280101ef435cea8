/**
 * Who may hold an upload, so that nobody can keep a build id, or all uploads of a server, for himself:
 *
 * - Who held one while others waited, and did not end it, lets others go first.
 * - One address has at most a quarter of the uploads and of their bytes, where addresses are known.
 */
import { BARRED_MS } from '../limits.ts';

/** Remembered, the oldest forgotten first. */
const MAX_BARRED = 10_000;

export interface Holder {
  readonly buildId: string;
  /** The sender's name: his own choice. */
  readonly holder: string;
  /** Where he comes from; empty: not known. */
  readonly address: string;
}

export class TurnsOfSenders {
  readonly #now: () => number;
  /** In order of insertion. */
  readonly #barred = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** His lease has ended without an end of the upload, and others waited for it. */
  bar(holder: Holder): void {
    for (const name of namesOf(holder)) {
      this.#barred.delete(name);
      this.#barred.set(name, this.#now() + BARRED_MS);
    }
    for (const oldest of this.#barred.keys()) {
      if (this.#barred.size <= MAX_BARRED) break;
      this.#barred.delete(oldest);
    }
  }

  /** Ms for which he must let others go first; 0: he need not. */
  waitMs(holder: Holder): number {
    const untilMs = Math.max(0, ...namesOf(holder).map((name) => this.#barred.get(name) ?? 0));
    return Math.max(0, untilMs - this.#now());
  }
}

function namesOf({ buildId, holder, address }: Holder): string[] {
  const names = [`${buildId} by ${holder}`];
  if (address !== '') names.push(`${buildId} from ${address}`);
  return names;
}

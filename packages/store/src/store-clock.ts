/**
 * The time by which the processes that share a catalog agree: the database's. Ages, leases and graces
 * are compared between processes whose own clocks may be minutes apart; each of them measures how far
 * its own is from the database's, once a minute.
 */
import type { Logger } from 'pino';
import type { Catalog } from './catalog/catalog.ts';

const SYNC_MS = 60_000;
/** A difference that is worth a word: agents' samples would look as old or as early as that. */
const TELL_MS = 5000;

export class StoreClock {
  readonly #catalog: Pick<Catalog, 'clockMs'>;
  readonly #log: Logger;
  #offsetMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(catalog: Pick<Catalog, 'clockMs'>, log: Logger) {
    this.#catalog = catalog;
    this.#log = log;
  }

  /** How far the catalog's clock is ahead of this host's. */
  get aheadMs(): number {
    return this.#offsetMs;
  }

  /** Unix ms. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  async start(): Promise<void> {
    await this.#sync();
    this.#timer = setInterval(() => {
      this.#sync().catch((error: unknown) => {
        this.#log.warn(
          { err: error },
          'the clock of the catalog cannot be asked: going on with the last difference',
        );
      });
    }, SYNC_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sync(): Promise<void> {
    const askedMs = Date.now();
    const theirsMs = await this.#catalog.clockMs();
    const answeredMs = Date.now();
    const offsetMs = Math.round(theirsMs - (askedMs + answeredMs) / 2);
    // Within the round trip nothing is known.
    this.#offsetMs = Math.abs(offsetMs) <= answeredMs - askedMs + 1 ? 0 : offsetMs;
    if (Math.abs(this.#offsetMs) > TELL_MS) {
      this.#log.warn({ offsetMs: this.#offsetMs }, "this host's clock is not the catalog's: set it (NTP)");
    }
  }
}

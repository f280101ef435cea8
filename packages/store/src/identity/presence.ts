/**
 * Who uses a catalog that several processes share, as notes of it, so that work which needs a store without servers can
 * tell. A directory has a lock of its own (directory-lock.ts).
 *
 *   present/NAME   a server: when it started, when it was last seen
 *   offline/NAME   work without servers: until when it goes on, unless it says more
 *
 * Either side first writes its own note, then reads the other's: of two that begin at the same time at least one sees the
 * other. All times are the catalog's clock; a note of a process that died counts until it is too old.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { NoteFields } from '../maintenance/note-fields.ts';

const PRESENT = 'present/';
const OFFLINE = 'offline/';

/** Notes are renewed so often. */
export const RENEW_MS = 10_000;
/** Who has not renewed for so long is gone: three renewals may fail. */
export const GONE_MS = 45_000;
/** What is older is removed by whoever comes by. */
const FORGET_MS = 3_600_000;

/** A server's note, until `leave`. */
export class Presence {
  readonly #catalog: Catalog;
  readonly #log: Logger;
  readonly #name: string;
  readonly #startedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();

  private constructor(catalog: Catalog, log: Logger, startedMs: number) {
    this.#catalog = catalog;
    this.#log = log;
    this.#startedMs = startedMs;
    this.#name = PRESENT + processName();
  }

  /** Throws unavailable while somebody works on the store without servers. */
  static async enter(catalog: Catalog, log: Logger): Promise<Presence> {
    const presence = new Presence(catalog, log, await catalog.clockMs());
    await presence.#say();
    const offline = await liveNotes(catalog, OFFLINE);
    if (offline.length > 0) {
      await presence.leave();
      throw new FleetflameError(
        'unavailable',
        `${offline.join(', ')} is at work on this store, which must have no servers meanwhile: start this one when that has ended. What ` +
          `was broken off is forgotten after ${GONE_MS / 1000} s.`,
      );
    }
    presence.#timer = setInterval(() => {
      presence.#renewing = presence.#renew();
    }, RENEW_MS);
    presence.#timer.unref();
    return presence;
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    try {
      await this.#catalog.notes.remove(this.#name);
    } catch (error) {
      // It grows old.
      this.#log.warn({ err: error }, 'this process is still noted in the catalog');
    }
  }

  async #renew(): Promise<void> {
    try {
      await this.#say();
      const offline = await liveNotes(this.#catalog, OFFLINE);
      if (offline.length > 0)
        this.#log.error({ by: offline }, 'the store is worked on as if it had no servers: stop this one');
    } catch (error) {
      this.#log.warn({ err: error }, 'this process could not be noted in the catalog');
    }
  }

  async #say(): Promise<void> {
    const nowMs = await this.#catalog.clockMs();
    await this.#catalog.notes.set(
      this.#name,
      JSON.stringify({ startedMs: this.#startedMs, seenMs: nowMs, untilMs: nowMs + GONE_MS }),
    );
  }
}

/**
 * Does `prepare`, and then `work` once it is known that no server is there, and none comes while it goes on. Throws
 * unavailable, and has not begun `work`, where there are some.
 */
export async function withoutServers<T, P>(
  catalog: Catalog,
  what: string,
  prepare: () => Promise<P>,
  work: (prepared: P) => Promise<T>,
): Promise<T> {
  const name = `${OFFLINE}${what} on ${processName()}`;
  const say = async (): Promise<void> => {
    await catalog.notes.set(name, JSON.stringify({ untilMs: (await catalog.clockMs()) + GONE_MS }));
  };
  const begun = performance.now();
  await say();
  const timer = setInterval(() => void say().catch(() => undefined), RENEW_MS);
  try {
    await refuseIfPresent(catalog);
    const prepared = await prepare();
    // A server whose catalog was emptied under it is noted again by then.
    await sleep(Math.max(0, 1.5 * RENEW_MS - (performance.now() - begun)));
    await refuseIfPresent(catalog);
    return await work(prepared);
  } finally {
    clearInterval(timer);
    await catalog.notes.remove(name);
  }
}

async function refuseIfPresent(catalog: Catalog): Promise<void> {
  const present = await liveNotes(catalog, PRESENT);
  if (present.length === 0) return;
  throw new FleetflameError(
    'unavailable',
    `${present.length === 1 ? 'A server uses' : `${present.length} servers use`} this store: ${present.slice(0, 10).join(', ')}. Stop ` +
      `${present.length === 1 ? 'it' : 'them'} first; one that was killed is forgotten after ${GONE_MS / 1000} s. Nothing was changed.`,
  );
}

/** Names of those that are not too old; removes what has been for long. */
async function liveNotes(catalog: Catalog, prefix: string): Promise<string[]> {
  const nowMs = await catalog.clockMs();
  const live: string[] = [];
  for (const [name, text] of await catalog.notes.list(prefix)) {
    const untilMs = NoteFields.parse(text)?.number('untilMs') ?? 0;
    if (untilMs >= nowMs) live.push(name.slice(prefix.length));
    else if (untilMs < nowMs - FORGET_MS) await catalog.notes.remove(name);
  }
  return live;
}

function processName(): string {
  return `${hostname()}/${process.pid}-${randomBytes(3).toString('hex')}`;
}

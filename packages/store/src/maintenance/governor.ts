/**
 * What cannot be undone does not follow from one observation. Expiry believes a clock and a setting, the sweep believes a
 * catalog: each may be wrong for a while, and what is gone is gone. So what is due is weighed before it goes:
 *
 *   steady      due by the clock of the last expiry and an hour more, under the retention of then: it goes
 *   a little    with what went in the last hour at most LIVE_SHARE of the live bytes: it goes
 *   else        nothing goes (of what has no share: not even a little). The hold says what would and why, in the jobs, the metrics and once an hour in the log,
 *               until it is no longer due (the clock was set, the retention is back) or somebody says that it may go
 */
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { NoteFields } from './note-fields.ts';
import type { GovernedKind, Hold, JobControls } from './job-controls.ts';

/** Of the live bytes, in an hour, beyond what is due steadily. */
export const LIVE_SHARE = 0.05;
/** What passes between two looks without anybody's doing: rounds that were late, a restart, a clock that was set by NTP. */
export const STEADY_MS = 3_600_000;
/** Clocks of hosts and of storage that are set at all differ by less. */
export const CLOCK_DOUBT_MS = 3_600_000;
/** A hold is told so often. */
const TELL_MS = 3_600_000;

export interface Due {
  readonly blocks: number;
  readonly bytes: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly cutsMs: Readonly<Record<string, number>>;
}

export interface GovernorOptions {
  readonly catalog: Catalog;
  readonly controls: JobControls;
  readonly log: Logger;
}

/** What went lately beyond the steady, in the note `spent/KIND`. */
interface Spent {
  readonly hourMs: number;
  /** Bytes, or what was weighed instead. */
  readonly amount: number;
}

/** What would go of what there is. */
export interface Weighed {
  readonly due: number;
  readonly live: number;
  /** For people, in the plural. */
  readonly what: string;
}

export class Governor {
  readonly #options: GovernorOptions;
  /** When each kind's hold was last told. */
  readonly #toldMs = new Map<GovernedKind, number>();

  constructor(options: GovernorOptions) {
    this.#options = options;
  }

  /**
   * True: all of it may go, now. `steady`: it is what an hour makes due. `doubt`: why nothing may go whatever it is.
   * `share`: of the live bytes, what may go in an hour nevertheless; `weighed`: of something else than these.
   * False: nothing may; the hold says so.
   */
  async allows(
    kind: GovernedKind,
    due: Due,
    nowMs: number,
    {
      steady,
      reason,
      doubt,
      share = LIVE_SHARE,
      weighed,
    }: {
      readonly steady: boolean;
      readonly reason: string;
      readonly doubt: string | undefined;
      readonly share?: number;
      readonly weighed?: Weighed;
    },
  ): Promise<boolean> {
    const { catalog, controls } = this.#options;
    if (due.blocks === 0 || (steady && doubt === undefined)) {
      await this.#clear(kind);
      return true;
    }
    const permission = await controls.permission(kind);
    if (permission !== undefined && covers(permission, due)) return true;
    const { due: amount, live, what } = weighed ?? (await this.#bytesOf(due));
    const spent = await this.#spent(kind, nowMs);
    if (doubt === undefined && spent.amount + amount <= live * share) {
      const after: Spent = { hourMs: spent.hourMs, amount: spent.amount + amount };
      await catalog.notes.set(spentNote(kind), JSON.stringify(after));
      await this.#clear(kind);
      return true;
    }
    const percent = live === 0 ? 100 : Math.min(100, Math.round((100 * amount) / live));
    await this.#hold(
      kind,
      due,
      nowMs,
      `${doubt ?? `${percent} % of the ${what} would go at once`}: ${reason}`,
    );
    return false;
  }

  async #bytesOf(due: Due): Promise<Weighed> {
    const { bytes } = await this.#options.catalog.liveSpan(undefined, Number.MAX_SAFE_INTEGER);
    return { due: due.bytes, live: bytes, what: 'live bytes' };
  }

  /** It was done, whatever it took. */
  async #clear(kind: GovernedKind): Promise<void> {
    const { controls, log } = this.#options;
    if ((await controls.hold(kind)) === undefined && (await controls.permission(kind)) === undefined) return;
    await controls.clear(kind);
    this.#toldMs.delete(kind);
    log.info({ kind }, 'nothing is held back any more');
  }

  /** What was allowed to go has gone. */
  async settled(kind: GovernedKind): Promise<void> {
    await this.#clear(kind);
  }

  async #hold(kind: GovernedKind, due: Due, nowMs: number, reason: string): Promise<void> {
    const { controls, log } = this.#options;
    const sinceMs = (await controls.hold(kind))?.sinceMs ?? nowMs;
    const hold: Hold = { ...due, sinceMs, reason };
    await controls.setHold(kind, hold);
    const toldMs = this.#toldMs.get(kind);
    if (toldMs !== undefined && Math.abs(nowMs - toldMs) < TELL_MS) return;
    this.#toldMs.set(kind, nowMs);
    log.error(
      {
        kind,
        blocks: due.blocks,
        bytes: due.bytes,
        from: new Date(due.fromMs).toISOString(),
        to: new Date(due.toMs).toISOString(),
        reason,
      },
      `nothing is removed: if this is meant, say so: fleetflame jobs resume ${kind} --yes`,
    );
  }

  async #spent(kind: GovernedKind, nowMs: number): Promise<Spent> {
    const name = spentNote(kind);
    const text = (await this.#options.catalog.notes.list(name)).get(name);
    const spent = NoteFields.parse(text);
    const hourMs = spent?.number('hourMs') ?? 0;
    const isThisHour = spent !== undefined && Math.abs(nowMs - hourMs) < STEADY_MS;
    return isThisHour ? { hourMs, amount: spent.number('amount') } : { hourMs: nowMs, amount: 0 };
  }
}

/** What has become due since it was said, in the time that it takes to say it, goes along. */
function covers(permission: Hold, due: Due): boolean {
  const cuts = Object.entries(due.cutsMs);
  if (cuts.length === 0) return due.toMs <= permission.toMs + STEADY_MS;
  return cuts.every(([resolution, beforeMs]) => {
    const allowedMs = permission.cutsMs[resolution];
    return allowedMs !== undefined && beforeMs <= allowedMs + 24 * STEADY_MS;
  });
}

function spentNote(kind: GovernedKind): string {
  return `spent/${kind}`;
}

/**
 * How far expiry has come, as a note of the catalog: the clock and the retention of its last run. What is due by these is
 * due whatever the clock says now. Batches are forgotten by a clock of their own, which does not jump: an identity that
 * was forgotten too early lets a repeat count twice (I2), one that is kept for too long is a row.
 */
import type { Catalog } from '../catalog/catalog.ts';
import { STEADY_MS } from './governor.ts';
import { NoteFields } from './note-fields.ts';

const NOTE = 'expiry/clock';

/** How much faster than time a clock for batches that was left behind catches up: a day of a wrong clock is 45 minutes. */
const CATCH_UP = 1 + 1 / 32;

export interface ExpiryClock {
  /** Of the last run in which what was due went, Unix ms. */
  readonly clockMs: number;
  /** Retention of then, by resolution. */
  readonly retentionMs: Readonly<Record<string, number>>;
  /** Now, as far as the memory of batches goes. */
  readonly batchesMs: number;
  /** When that was, by the clock of then. */
  readonly ranMs: number;
}

/**
 * What was kept, or, for a store that has none yet, what can be known: that it was as late as its newest sample. To be
 * called before anything is written by a clock that may be wrong.
 */
export async function readExpiryClock(
  catalog: Catalog,
  retentionMs: ReadonlyMap<number, number>,
  nowMs: number,
): Promise<ExpiryClock> {
  const there = parsed((await catalog.notes.list(NOTE)).get(NOTE));
  if (there !== undefined) return there;
  const { blocks, toMs } = await catalog.liveSpan(undefined, Number.MAX_SAFE_INTEGER);
  const clockMs = blocks === 0 ? nowMs : Math.min(nowMs, toMs);
  const first = { clockMs, retentionMs: Object.fromEntries(retentionMs), batchesMs: clockMs, ranMs: nowMs };
  return parsed(await catalog.notes.claim(NOTE, JSON.stringify(first))) ?? first;
}

function parsed(text: string | undefined): ExpiryClock | undefined {
  const fields = NoteFields.parse(text);
  return (
    fields && {
      clockMs: fields.number('clockMs'),
      retentionMs: fields.numbers('retentionMs'),
      batchesMs: fields.number('batchesMs'),
      ranMs: fields.number('ranMs'),
    }
  );
}

export async function keepExpiryClock(catalog: Catalog, clock: ExpiryClock): Promise<void> {
  await catalog.notes.set(NOTE, JSON.stringify(clock));
}

/** `sinceMs`: how long this process has waited since it last asked, by a clock that nobody sets. */
export function batchesClock(
  last: ExpiryClock,
  nowMs: number,
  sinceMs: number,
  isConfirmed: boolean,
): number {
  if (isConfirmed || nowMs - last.batchesMs <= STEADY_MS) return nowMs;
  const passedMs = Math.max(0, Math.min(sinceMs, nowMs - last.ranMs));
  return Math.min(nowMs, last.batchesMs + Math.round(passedMs * CATCH_UP));
}

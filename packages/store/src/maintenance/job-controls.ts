/**
 * What people say to background work, and what it says to them, as notes of the catalog:
 *
 *   pause/KIND    nobody takes up work of the kind: somebody asked for it
 *   hold/KIND     it does not do what is due, because that is more than one look may decide (governor.ts)
 *   resume/KIND   what was held may go, once
 */
import { FleetflameError } from '@fleetflame/profile';
import type { CatalogNotes } from '../catalog/notes.ts';
import { NoteFields } from './note-fields.ts';

/** Tasks and work by the names that jobs have; `symbols`: the sweep of tables that were replaced, by symbolizers. */
export const JOB_KINDS = [
  'plan',
  'expire',
  'remove',
  'sweep',
  'recheck',
  'copy',
  'symbols',
  'merge',
  'rollup',
  'erase',
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** Those that a governor may hold. */
export type GovernedKind = 'expire' | 'sweep' | 'symbols';

export interface Hold {
  /** Unix ms. */
  readonly sinceMs: number;
  readonly reason: string;
  /** What would go. */
  readonly blocks: number;
  readonly bytes: number;
  /** Times of its samples, Unix ms; of sweeps: when its objects were written. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Up to where, by resolution: samples older than that; empty for sweeps. */
  readonly cutsMs: Readonly<Record<string, number>>;
}

export interface Pause {
  readonly sinceMs: number;
  readonly reason: string;
}

export interface JobControl {
  readonly kind: string;
  readonly pause: Pause | undefined;
  readonly hold: Hold | undefined;
  /** It was said that what is held may go. */
  readonly resumed: boolean;
}

const PAUSE = 'pause/';
const HOLD = 'hold/';
const RESUME = 'resume/';

export class JobControls {
  readonly #notes: CatalogNotes;

  constructor(notes: CatalogNotes) {
    this.#notes = notes;
  }

  async paused(): Promise<ReadonlySet<string>> {
    return new Set([...(await this.#notes.list(PAUSE)).keys()].map((name) => name.slice(PAUSE.length)));
  }

  /** Of all kinds about which there is something to say. */
  async list(): Promise<JobControl[]> {
    const [pauses, holds, resumes] = await Promise.all(
      [PAUSE, HOLD, RESUME].map((prefix) => this.#notes.list(prefix)),
    );
    const controls: JobControl[] = [];
    for (const kind of JOB_KINDS) {
      const pause = pauseOf(pauses?.get(PAUSE + kind));
      const hold = holdOf(holds?.get(HOLD + kind));
      const resumed = resumes?.has(RESUME + kind) ?? false;
      if (pause !== undefined || hold !== undefined || resumed) controls.push({ kind, pause, hold, resumed });
    }
    return controls;
  }

  async pause(kind: string, reason: string, nowMs: number): Promise<void> {
    const pause: Pause = { sinceMs: nowMs, reason };
    await this.#notes.claim(PAUSE + knownKind(kind), JSON.stringify(pause));
  }

  /** Work of the kind goes on. With `held` also what a governor holds back now: that goes for good. */
  async resume(kind: string, held: boolean): Promise<void> {
    await this.#notes.remove(PAUSE + knownKind(kind));
    const hold = await this.hold(kind);
    if (held && hold !== undefined) await this.#notes.set(RESUME + kind, JSON.stringify(hold));
  }

  async hold(kind: string): Promise<Hold | undefined> {
    return holdOf((await this.#notes.list(HOLD + kind)).get(HOLD + kind));
  }

  async setHold(kind: GovernedKind, hold: Hold): Promise<void> {
    await this.#notes.set(HOLD + kind, JSON.stringify(hold));
  }

  /** What was allowed to go, as it was held when somebody said so. */
  async permission(kind: GovernedKind): Promise<Hold | undefined> {
    return holdOf((await this.#notes.list(RESUME + kind)).get(RESUME + kind));
  }

  /** Nothing is held any more, and what was allowed has been done. */
  async clear(kind: GovernedKind): Promise<void> {
    await this.#notes.remove(HOLD + kind);
    await this.#notes.remove(RESUME + kind);
  }
}

function knownKind(kind: string): JobKind {
  const known = JOB_KINDS.find((one) => one === kind);
  if (known !== undefined) return known;
  throw new FleetflameError(
    'invalid_input',
    `kind: there is no background work called ${JSON.stringify(kind.slice(0, 40))}: choose from ${JOB_KINDS.join(', ')}.`,
    { field: 'kind' },
  );
}

function holdOf(text: string | undefined): Hold | undefined {
  const fields = NoteFields.parse(text);
  return (
    fields && {
      sinceMs: fields.number('sinceMs'),
      reason: fields.text('reason'),
      blocks: fields.number('blocks'),
      bytes: fields.number('bytes'),
      fromMs: fields.number('fromMs'),
      toMs: fields.number('toMs'),
      cutsMs: fields.numbers('cutsMs'),
    }
  );
}

function pauseOf(text: string | undefined): Pause | undefined {
  const fields = NoteFields.parse(text);
  return fields && { sinceMs: fields.number('sinceMs'), reason: fields.text('reason') };
}

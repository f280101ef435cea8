/** The sweep of symbol tables that were replaced, which is not this package's, under the same governor as all that removes. */
import type { Catalog } from '../catalog/catalog.ts';
import type { ClockCheck } from './check-clocks.ts';
import type { Governor } from './governor.ts';
import type { JobControls } from './job-controls.ts';
import { NoteFields } from './note-fields.ts';

/** Objects that nothing refers to any more. */
export interface SymbolsDue {
  readonly objects: number;
  /** Of so many that there are. */
  readonly of: number;
  /** When they were written, Unix ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** When the last of them became due, Unix ms: its replacement is in force since a grace then. */
  readonly dueMs: number;
}

/**
 * From one sweep to the next, with room (they are 3 h apart): what becomes due in that time is steady. Below the grace of what was
 * replaced, so that a clock that jumps leaves an hour of it.
 */
const STEADY_SYMBOLS_MS = 4.5 * 3_600_000;
const CLOCK = 'symbols/clock';

export interface SymbolSweepsOptions {
  readonly catalog: Catalog;
  readonly controls: JobControls;
  readonly governor: Governor;
  readonly otherClocks: () => ClockCheck;
}

export class SymbolSweeps {
  readonly #options: SymbolSweepsOptions;

  constructor(options: SymbolSweepsOptions) {
    this.#options = options;
  }

  /** True: all of it may go, now. To be asked at each sweep, also when nothing is due. */
  async allows(due: SymbolsDue, nowMs: number): Promise<boolean> {
    const { catalog, controls, governor, otherClocks } = this.#options;
    if ((await controls.paused()).has('symbols')) return false;
    const note = NoteFields.parse((await catalog.notes.list(CLOCK)).get(CLOCK));
    // The first look tells when the next one is late; it removes nothing.
    if (note === undefined) {
      await catalog.notes.claim(CLOCK, JSON.stringify({ sweptMs: nowMs }));
      return false;
    }
    const sweptMs = note.number('sweptMs');
    const allowed = await governor.allows(
      'symbols',
      { ...due, blocks: due.objects, bytes: 0, cutsMs: {} },
      nowMs,
      {
        steady: due.dueMs <= sweptMs + STEADY_SYMBOLS_MS,
        reason: `the clock says ${iso(nowMs)}, at the last sweep of symbols it was ${iso(sweptMs)}`,
        doubt: otherClocks().doubt,
        weighed: { due: due.objects, live: due.of, what: 'symbol objects' },
      },
    );
    if (!allowed) return false;
    await governor.settled('symbols');
    await catalog.notes.set(CLOCK, JSON.stringify({ sweptMs: nowMs }));
    return true;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

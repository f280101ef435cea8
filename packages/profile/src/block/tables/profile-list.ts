import type { SeriesIndex, SeriesTable } from '../block.ts';
import { GrowableF64, GrowableU32 } from './growable.ts';

/** A pushed file has one or two; so small arrays are part of the JavaScript heap. */
const FIRST_CAPACITY = 4;

/** The profiles that series were taken from, in any order and with repeats, while a block is being built. */
export class ProfileList {
  readonly #series = new GrowableU32(FIRST_CAPACITY);
  readonly #timeMs = new GrowableF64(FIRST_CAPACITY);
  readonly #durationMs = new GrowableU32(FIRST_CAPACITY);
  readonly #count = new GrowableU32(FIRST_CAPACITY);

  get length(): number {
    return this.#series.length;
  }

  /** `series`: a row of the interned tables; `timeMs`: Unix milliseconds. */
  add(series: SeriesIndex, timeMs: number, durationMs: number, count: number): void {
    this.#series.push(series);
    this.#timeMs.push(timeMs);
    this.#durationMs.push(durationMs);
    this.#count.push(count);
  }

  /** All profiles of another list over the same tables. */
  addAll(other: ProfileList): void {
    const series = other.#series.view();
    const time = other.#timeMs.view();
    const duration = other.#durationMs.view();
    const count = other.#count.view();
    for (let i = 0; i < series.length; i++) this.add(series[i]!, time[i]!, duration[i]!, count[i]!);
  }

  /** Marks the series that have one. */
  mark(seen: Uint8Array): void {
    for (const series of this.#series.view()) seen[series] = 1;
  }

  /** First time and last covered time, Unix ms; Infinity and -Infinity without profiles. */
  span(): { readonly firstMs: number; readonly lastMs: number } {
    const times = this.#timeMs.view();
    let firstMs = Infinity;
    let lastMs = -Infinity;
    for (let i = 0; i < times.length; i++) {
      firstMs = Math.min(firstMs, times[i]!);
      lastMs = Math.max(lastMs, times[i]!);
    }
    return { firstMs, lastMs };
  }

  /** The columns of a series table with `rows` rows, `newRow` of which is each interned one; equal profiles are counted together. */
  columns(newRow: Uint32Array, rows: number, startMs: number): ProfileColumns {
    const series = this.#series.view();
    const time = this.#timeMs.view();
    const duration = this.#durationMs.view();
    const count = this.#count.view();
    const order = Uint32Array.from(series.keys()).sort(
      (a, b) =>
        newRow[series[a]!]! - newRow[series[b]!]! || time[a]! - time[b]! || duration[a]! - duration[b]!,
    );
    const profileStart = new Uint32Array(rows + 1);
    const profileTime = new Uint32Array(order.length);
    const profileDuration = new Uint32Array(order.length);
    const profileCount = new Uint32Array(order.length);
    let end = 0;
    let row = -1;
    for (const at of order) {
      const own = newRow[series[at]!]!;
      const ms = time[at]! - startMs;
      const again = own === row && profileTime[end - 1] === ms && profileDuration[end - 1] === duration[at];
      if (!again) {
        profileTime[end] = ms;
        profileDuration[end++] = duration[at]!;
      }
      row = own;
      // Four thousand million equal profiles are not to be had.
      profileCount[end - 1] = Math.min(0xffff_ffff, profileCount[end - 1]! + count[at]!);
      profileStart[own + 1] = end;
    }
    for (let i = 0; i < rows; i++) profileStart[i + 1] = Math.max(profileStart[i]!, profileStart[i + 1]!);
    return {
      profileStart,
      profileTime: profileTime.slice(0, end),
      profileDuration: profileDuration.slice(0, end),
      profileCount: profileCount.slice(0, end),
    };
  }
}

export type ProfileColumns = Pick<
  SeriesTable,
  'profileStart' | 'profileTime' | 'profileDuration' | 'profileCount'
>;

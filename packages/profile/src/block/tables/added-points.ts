import { GrowableF64, GrowableU32 } from './growable.ts';
import { TupleInterner } from './tuple-interner.ts';

/** Points as they are added to a block that is being built: of one row each, in any order. */
export class AddedPoints {
  /** (series, stack) */
  readonly rows = new TupleInterner(2);
  readonly row = new GrowableU32();
  /** Unix ms. */
  readonly time = new GrowableF64();
  readonly value = new GrowableF64();

  get capacity(): number {
    return this.row.capacity;
  }

  /** Keeps its memory. */
  clear(): void {
    this.rows.clear();
    this.row.clear();
    this.time.clear();
    this.value.clear();
  }
}

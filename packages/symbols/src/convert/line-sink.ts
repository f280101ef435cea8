import { findBlock } from '../find-block.ts';
import { RowReader } from '../row-reader.ts';
import { RowWriter, type Row } from '../row-writer.ts';
import { NO_SOURCE, type SourceColumns } from '../source-columns.ts';
import type { DebugLines } from './debug-lines.ts';

/** Lines with the address that their blocks count from. */
export interface LineSource {
  readonly base: number;
  readonly source: SourceColumns;
}

/** Lines of a binary: those of its debug information, and of Go's table where that has none. */
export class LineSink {
  readonly hasDebugLines: boolean;
  readonly #debug: DebugLines | undefined;
  readonly #reader = new RowReader();
  readonly #rows = new RowWriter();
  #base: number | undefined;

  constructor(debug: DebugLines | undefined) {
    this.#debug = debug;
    this.hasDebugLines = debug !== undefined && debug.source.rows.length > 0;
  }

  get rowCount(): number {
    return Number(this.#debug?.notes.get('rows') ?? 0) + this.#rows.rowCount;
  }

  /** Rows of a function, in the order of addresses, unless the debug information knows its beginning. */
  add(start: number, end: number, rows: () => Iterable<Row>): void {
    if (this.#isKnown(start)) return;
    this.#base ??= start;
    const base = this.#base;
    // Addresses are 32 bits; functions out of order cannot be looked up.
    if (start < base || end - base > 0xffff_ffff) return;
    this.#rows.add(relative(rows(), base), end - base);
  }

  /** The debug information first. */
  sources(): LineSource[] {
    const go = { base: this.#base ?? 0, source: { ...NO_SOURCE, ...this.#rows.blocks() } };
    return this.#debug === undefined ? [go] : [this.#debug, go];
  }

  #isKnown(address: number): boolean {
    if (this.#debug === undefined) return false;
    const { base, source } = this.#debug;
    const block = findBlock(source, address - base);
    if (block < 0) return false;
    const { rows, blockOffsets, blockStarts } = source;
    const reader = this.#reader;
    reader.begin(rows, blockOffsets[block]!, blockOffsets[block + 1]!, blockStarts[block]!);
    let known = false;
    while (reader.next() && reader.address <= address - base) known = reader.file !== 0 || reader.call !== 0;
    return known;
  }
}

function* relative(rows: Iterable<Row>, base: number): Iterable<Row> {
  for (const row of rows) yield { ...row, address: row.address - base };
}

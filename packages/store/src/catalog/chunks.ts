/** Rows per statement: with twenty parameters a row, below SQLite's 32,766 and PostgreSQL's 65,535. */
const CHUNK_ROWS = 1000;

export function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += CHUNK_ROWS) yield items.slice(start, start + CHUNK_ROWS);
}

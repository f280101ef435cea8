import { eachLine } from './lines.ts';
import { RangeList } from './range-list.ts';

/** The last line of dump-rows. */
export interface TableSummary {
  readonly result: string;
  readonly rows: number;
  readonly rules: number;
  readonly bytes: number;
  readonly functions: number;
  readonly overlaps: number;
  readonly milliseconds: number;
  readonly peakBytes: number;
  readonly residentBytes: number;
  readonly [name: string]: number | string;
}

export interface OurRows {
  readonly rows: RangeList;
  readonly summary: TableSummary;
}

/** Runs dump-rows on a file. `extra`: its other arguments. */
export async function ourRows(tool: string, path: string, extra: readonly string[] = []): Promise<OurRows> {
  const rows = new RangeList();
  let summary: TableSummary | undefined;
  await eachLine([tool, ...extra, path], (line) => {
    if (line.startsWith('{')) {
      summary = JSON.parse(line) as TableSummary;
      return;
    }
    const dash = line.indexOf('-');
    const space = line.indexOf(' ');
    const start = Number.parseInt(line.slice(0, dash), 16);
    rows.add(start, Number.parseInt(line.slice(dash + 1, space), 16), line.slice(space + 1));
  });
  if (summary === undefined) throw new Error(`${tool} ${path} printed no summary: it crashed`);
  return { rows, summary };
}

/** Compares a table of ours with readelf's, address by address. */
import { ourRows, type TableSummary } from './our-rows.ts';
import { RangeList } from './range-list.ts';
import { NO_EXPRESSIONS, readelfExpressions } from './readelf-expressions.ts';
import { expectedRows, type Frame, readelfFrames } from './readelf-rows.ts';
import { eachLine } from './lines.ts';

export interface Difference {
  readonly start: number;
  readonly end: number;
  readonly expected: string;
  readonly ours: string;
}

export interface Comparison {
  readonly path: string;
  readonly summary: TableSummary;
  /** Rows that readelf printed. */
  readonly readelfRows: number;
  /** Ranges compared: pieces in which both sides say one thing. */
  readonly compared: number;
  /** Bytes of code in them. */
  readonly comparedBytes: number;
  readonly differing: number;
  /** The first of them. */
  readonly differences: readonly Difference[];
  /** Ranges that agree only by one of the exceptions, by its name. */
  readonly exceptions: Readonly<Record<string, number>>;
}

/** Shorter gaps between functions have no row of their own (MINIMUM_GAP in build.cc). */
const MINIMUM_GAP = 16;
const PAGE_BYTES = 65_536;
const MAX_DIFFERENCES = 20;
/** What is never mapped as 64-bit code of this machine: there is nothing to compare. */
const OTHER_KINDS = new Set(['not_64_bit', 'not_loadable', 'other_machine', 'not_little_endian', 'not_elf']);

interface Segment {
  readonly start: number;
  readonly end: number;
}

/** Executable segments as readelf sees them. */
async function codeSegments(path: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  await eachLine(['readelf', '-lW', path], (line) => {
    const match = /^ {2}LOAD +0x[0-9a-f]+ 0x([0-9a-f]+) 0x[0-9a-f]+ 0x[0-9a-f]+ 0x([0-9a-f]+) (...) /.exec(
      line,
    );
    if (match === null || !(match[3] ?? '').includes('E')) return;
    const start = Number.parseInt(match[1] ?? '', 16);
    segments.push({ start, end: start + Number.parseInt(match[2] ?? '', 16) });
  });
  return segments;
}

/** Which description counts where several speak of one address: see Statistics::overlaps. */
function resolve(frames: readonly Frame[], code: readonly Segment[]): Frame[] {
  const usable = frames.filter(
    ({ start, end }) => end > start && code.some((segment) => start >= segment.start && start < segment.end),
  );
  const bySection = [...usable].sort(
    (a, b) => a.start - b.start || Number(b.isEhFrame) - Number(a.isEhFrame),
  );
  const eh = bySection.filter(({ isEhFrame }) => isEhFrame);
  const kept = bySection.filter((frame) => frame.isEhFrame || !overlapsAny(eh, frame));
  return kept.filter((frame, index) => frame.start !== kept[index - 1]?.start);
}

function overlapsAny(sorted: readonly Frame[], { start, end }: Frame): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.start ?? 0) < end) low = middle + 1;
    else high = middle;
  }
  return sorted.slice(Math.max(0, low - 4), low).some((frame) => frame.end > start);
}

async function expectedOf(path: string): Promise<{ expected: RangeList; rows: number }> {
  const { frames, needsRaw, rowsPrinted } = await readelfFrames(path);
  const expressions = needsRaw ? await readelfExpressions(path) : NO_EXPRESSIONS;
  const kept = resolve(frames, await codeSegments(path));
  const expected = new RangeList();
  let last = 0;
  kept.forEach((frame, index) => {
    const next = kept[index + 1]?.start ?? Infinity;
    if (last !== 0 && frame.start - last >= MINIMUM_GAP) expected.add(last, frame.start, 'none');
    expectedRows(frame, next, expressions, expected);
    last = Math.min(frame.end, next);
  });
  if (last > 0) expected.add(last, last + PAGE_BYTES, 'none');
  return { expected, rows: rowsPrinted };
}

/** What is said of functions of Go that change stacks. */
const GO_STACK_SWITCH = 'rbp+16 rbp=c-16 rbx=s ra=c-8';
const GO_FIRST_BYTE = 'rsp+8 rbp=s rbx=s ra=c-8';

/** As `agreement`, for what Go's own table says better than what Go's linker makes of it for debuggers. */
function goAgreement(expected: string, ours: string, bytes: number): string | undefined {
  if (ours === 'end' || ours === GO_STACK_SWITCH)
    return 'a stack of Go begins or is changed, known by the function';
  if (expected === 'none' && ours === GO_FIRST_BYTE && bytes === 1)
    return 'Go returns to the first byte of a function';
  // A stripped program with C in it: readelf has the C functions, and gaps where Go's are.
  if (expected === 'none') return "described by Go's own table alone";
  return undefined;
}

const ROW = /^(\S+) rbp=(\S+) rbx=(\S+) ra=(\S+)( exact)?$/;

/** undefined: they differ. '': they are equal. Otherwise the exception by which they agree. */
export function agreement(expected: string, ours: string): string | undefined {
  if (expected === ours) return '';
  if (ours === 'unsupported:offset_too_wide') return 'readelf cuts offsets to 32 bits';
  const want = ROW.exec(expected);
  const have = ROW.exec(ours);
  if (want === null || have === null) {
    if (ours === 'signal' && want !== null) return 'signal return known by its code';
    return undefined;
  }
  if (want[1] !== have[1] || want[4] !== have[4] || want[5] !== have[5]) return undefined;
  const rbp = registerAgreement('rbp', want[2] ?? '', have[2] ?? '');
  const rbx = registerAgreement('rbx', want[3] ?? '', have[3] ?? '');
  return rbp === undefined || rbx === undefined ? undefined : rbp || rbx;
}

function registerAgreement(name: string, want: string, have: string): string | undefined {
  if (want === have) return '';
  // readelf prints "u" also for what is not said, which is "same" by the ABI.
  if ((want === 'u' || want === 's') && have === 's') return '';
  if (/^(?:r\w+)$/.test(want) && have === `${want}+0`) return '';
  if (name === 'rbx' && have === 'u') return 'rbx is saved where no rule can say';
  if (name === 'rbp' && have === 'u' && want === 'unknown') return 'rbp is saved where no rule can say';
  return undefined;
}

export async function compareRows(tool: string, path: string): Promise<Comparison> {
  const { rows: ours, summary } = await ourRows(tool, path);
  const isOther = OTHER_KINDS.has(summary.result);
  const { expected, rows } = isOther ? { expected: new RangeList(), rows: 0 } : await expectedOf(path);
  const differences: Difference[] = [];
  const exceptions: Record<string, number> = {};
  let compared = 0;
  let differing = 0;
  let comparedBytes = 0;
  let at = 0;
  for (let i = 0; i < expected.length; i++) {
    const end = expected.ends[i]!;
    const text = expected.texts[i]!;
    let position = expected.starts[i]!;
    while (position < end) {
      while (at < ours.length && ours.ends[at]! <= position) at++;
      const inside = at < ours.length && ours.starts[at]! <= position;
      const piece = Math.min(end, (inside ? ours.ends[at] : ours.starts[at]) ?? end);
      const have = inside ? ours.texts[at]! : 'none';
      const isGo = Number(summary['goFunctions'] ?? 0) > 0;
      const exception =
        agreement(text, have) ?? (isGo ? goAgreement(text, have, piece - position) : undefined);
      compared++;
      comparedBytes += piece - position;
      if (exception === undefined) {
        differing++;
        if (differences.length < MAX_DIFFERENCES) {
          differences.push({ start: position, end: piece, expected: text, ours: have });
        }
      } else if (exception !== '') exceptions[exception] = (exceptions[exception] ?? 0) + 1;
      if (have.startsWith('unsupported:')) exceptions[have] = (exceptions[have] ?? 0) + 1;
      position = piece;
    }
  }
  return { path, summary, readelfRows: rows, compared, comparedBytes, differing, differences, exceptions };
}

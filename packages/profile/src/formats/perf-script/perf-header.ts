export interface PerfHeader {
  /** Name of the thread. */
  readonly comm: string;
  /** Seconds of the clock that perf used. */
  readonly time: number | undefined;
  /** What the event counted since the sample before. */
  readonly period: number | undefined;
  /** "" where the line names none. */
  readonly event: string;
  /** What follows on the line: the only frame where there are no call chains. */
  readonly rest: string;
}

/** Names of threads have 15 characters: a header is short, and what follows is its frame. */
const HEAD_LENGTH = 512;

interface Word {
  readonly text: string;
  readonly end: number;
}

/**
 * The header of a sample; undefined when the line is none. `alone`: also one without a time.
 *
 *   comm pid[/tid] [cpu] flags time: period event: rest
 *
 * comm may have spaces and digits: what comes before the time is read from there backwards.
 */
export function parsePerfHeader(line: string, alone: boolean): PerfHeader | undefined {
  const words = wordsOf(line.slice(0, HEAD_LENGTH));
  const timeAt = words.findIndex(({ text }, index) => index >= 2 && /^\d{1,15}\.\d{1,12}:$/.test(text));
  if (timeAt > 0) {
    const comm = commBefore(words, timeAt);
    if (comm === undefined) return undefined;
    const time = Number(words[timeAt]?.text.slice(0, -1));
    return { comm, time, ...eventAfter(line, words, timeAt + 1) };
  }
  if (!alone || line.length > HEAD_LENGTH) return undefined;
  return untimed(line, words);
}

function wordsOf(text: string): Word[] {
  return [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], end: match.index + match[0].length }));
}

/** The words up to the process id before `end`. */
function commBefore(words: readonly Word[], end: number): string | undefined {
  let at = end - 1;
  const text = (): string => words[at]?.text ?? '';
  // Flags of interrupts, such as d.h1.
  if (/^[.a-zA-Z][.\w]{3,5}$/.test(text())) at--;
  if (/^\[\d+\]$/.test(text())) at--;
  if (at < 1 || !/^-?\d+(?:\/-?\d+)?$/.test(text())) return undefined;
  return joined(words.slice(0, at));
}

function eventAfter(
  line: string,
  words: readonly Word[],
  from: number,
): Pick<PerfHeader, 'period' | 'event' | 'rest'> {
  let at = from;
  const number = words[at]?.text ?? '';
  const next = words[at + 1]?.text ?? '';
  // Of the event cycles: the number before it is the period.
  const period = /^\d{1,20}$/.test(number) && next.endsWith(':') ? Number(number) : undefined;
  if (period !== undefined) at++;
  const event = words[at];
  if (event === undefined) return { period, event: '', rest: '' };
  if (!event.text.endsWith(':'))
    return { period, event: '', rest: line.slice(words[at - 1]?.end ?? 0).trim() };
  return { period, event: event.text.slice(0, -1), rest: line.slice(event.end).trim() };
}

/** comm pid[/tid] [cpu] [period] [event:], the whole line. */
function untimed(line: string, words: readonly Word[]): PerfHeader | undefined {
  if (line.startsWith('\t')) return undefined;
  let end = words.length;
  const last = words[end - 1]?.text ?? '';
  let after: Pick<PerfHeader, 'period' | 'event' | 'rest'> = { period: undefined, event: '', rest: '' };
  if (last.endsWith(':')) {
    // A number before the event is its period where the process id comes before that.
    const withPeriod = commBefore(words, end - 2) !== undefined && /^\d+$/.test(words[end - 2]?.text ?? '');
    after = eventAfter(line, words, withPeriod ? end - 2 : end - 1);
    end -= withPeriod ? 2 : 1;
  }
  const comm = commBefore(words, end);
  return comm === undefined ? undefined : { comm, time: undefined, ...after };
}

function joined(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ');
}

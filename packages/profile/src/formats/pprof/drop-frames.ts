/**
 * drop_frames and keep_frames: regular expressions by which a profile says which functions belong to
 * the profiler or the allocator. As pprof does, a function that drop_frames matches whole and
 * keep_frames does not is removed with all that it calls, unless everything outside of it matches, too.
 * The expressions come from the file: their size, and the work for all names together, are bounded.
 */
import { RE2JS, RE2JSException } from 're2js';
import type { ImportChanges } from '../import-changes.ts';

const DROP_LIMITS = {
  /** UTF-16 units: what gperftools writes for heaps has 1,500. */
  length: 8_192,
  /** RE2 instructions of each expression. */
  instructions: 20_000,
  /** Length times the sum of the counts in {n,m}: they multiply what is compiled. */
  repeats: 100_000,
  /** Classes ([a-z], \pL, \w): one of Unicode takes a third of a millisecond to compile. */
  classes: 200,
  /** Instructions times characters of all names: 0.2 to 10 ns each. */
  work: 200_000_000,
} as const;

export class DropFrames {
  readonly #drop: RE2JS;
  readonly #keep: RE2JS | undefined;
  readonly #changes: ImportChanges;
  readonly #known = new Map<string, boolean>();
  readonly #instructions: number;
  #work = 0;

  private constructor(drop: RE2JS, keep: RE2JS | undefined, changes: ImportChanges) {
    this.#drop = drop;
    this.#keep = keep;
    this.#changes = changes;
    this.#instructions = drop.programSize() + (keep?.programSize() ?? 0);
  }

  /** Undefined: the profile drops nothing, or its expressions cannot be applied, which is noted. */
  static from(drop: string, keep: string, changes: ImportChanges): DropFrames | undefined {
    if (drop === '') return undefined;
    const dropRegex = compile(drop, changes);
    const keepRegex = keep === '' ? undefined : compile(keep, changes);
    if (dropRegex === undefined || (keep !== '' && keepRegex === undefined)) return undefined;
    return new DropFrames(dropRegex, keepRegex, changes);
  }

  /** Whether a function of this name is removed with what it calls. */
  drops(functionName: string): boolean {
    const known = this.#known.get(functionName);
    if (known !== undefined) return known;
    const name = withoutArguments(functionName);
    this.#work += (name.length + 1) * this.#instructions;
    let drops = false;
    if (this.#work > DROP_LIMITS.work) this.#changes.note('drop_frames_ignored', `${name}: too much work`);
    else if (name !== '') drops = this.#drop.matches(name) && this.#keep?.matches(name) !== true;
    this.#known.set(functionName, drops);
    return drops;
  }
}

function compile(pattern: string, changes: ImportChanges): RE2JS | undefined {
  const ignore = (why: string): undefined => {
    changes.note('drop_frames_ignored', `${why}: ${pattern}`);
    return undefined;
  };
  if (pattern.length > DROP_LIMITS.length) return ignore('too long');
  let repeats = 0;
  for (const [, low, high] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    repeats += Math.max(Number(low), Number(high ?? 0));
  }
  if (repeats * pattern.length > DROP_LIMITS.repeats) return ignore('too many repetitions');
  if ((pattern.match(/\\[pPwWdDsS]|\[/g)?.length ?? 0) > DROP_LIMITS.classes)
    return ignore('too many classes');
  try {
    const regex = RE2JS.compile(pattern);
    return regex.programSize() > DROP_LIMITS.instructions ? ignore('too large') : regex;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return ignore('no regular expression');
  }
}

/** Names of C++ that have parentheses and no arguments in them. */
const PARENTHESES = /\(anonymous namespace\)|operator\(\)|\(/g;

/** The name without its arguments: expressions are written for foo::bar, not foo::bar(int). */
function withoutArguments(name: string): string {
  const plain = name.startsWith('.') ? name.slice(1) : name;
  for (const match of plain.matchAll(PARENTHESES)) {
    if (match[0] === '(') return plain.slice(0, match.index);
  }
  return plain;
}

import type { Comparison, FunctionDelta, GateResult, PerhapsRenamed } from '@fleetflame/profile';
import type { ShownValues } from './shown-values.ts';
import type { DiffSide } from './side.ts';

/** All that the forms of output show. */
export interface DiffAnswer {
  readonly sides: readonly [DiffSide, DiffSide];
  readonly comparison: Comparison;
  /** Both sides' values in the unit of this type. */
  readonly profileType: string;
  readonly shown: ShownValues;
  /** Those that a gate fails for come first. */
  readonly listed: readonly FunctionDelta[];
  readonly omittedFunctions: number;
  readonly renamed: readonly PerhapsRenamed[];
  readonly warnings: readonly string[];
  readonly gate: (GateResult & { readonly exitCode: number; readonly any: boolean }) | undefined;
}

/** What a difference had to be larger than to be reported, in a sentence. */
export function basisSentence({ basis, paired, tests, compared }: Comparison): string {
  const hosts = compared.hosts.map((of) => of?.size ?? 0);
  if (basis === 'hosts') {
    const which = paired ? 'the same on both sides' : `${hosts[0]} and ${hosts[1]}`;
    return `hosts (${which}; ${tests} tests, at most 5 % of what is marked * is chance)`;
  }
  if (basis === 'sampling') {
    return `sampling (${tests} tests, at most 5 % of what is marked * is sampling's chance; how runs and hosts differ is not in it)`;
  }
  if (compared.totals.includes(0)) return 'none (a side has no samples)';
  return 'none (what one sample weighs is not known on both sides: chance cannot be told from change)';
}

/** "1 function is new, 3 are gone; 2 names were joined" */
export function matchSentence({ match, newFunctions, goneFunctions, joinedNames }: Comparison): string {
  const presence = `${newFunctions} ${newFunctions === 1 ? 'function' : 'functions'} ${be(newFunctions)} new, ${goneFunctions} ${be(goneFunctions)} gone`;
  if (match === 'exact') return `${presence}; names are matched exactly`;
  return `${presence}; ${joinedNames} ${joinedNames === 1 ? 'name was' : 'names were'} joined (--match exact does not)`;
}

function be(count: number): string {
  return count === 1 ? 'is' : 'are';
}

/** What became of the gate, in a sentence. */
export function gateSentence({ exitCode, failures }: NonNullable<DiffAnswer['gate']>): string {
  if (exitCode === 4) return 'gate: not enough data to judge';
  if (failures.length === 0) return 'gate: passed';
  const functions = new Set(failures.flatMap((failure) => failure.functions));
  return `gate: failed, ${functions.size} ${functions.size === 1 ? 'function' : 'functions'}`;
}

/** Compares chains of a table with those of another tool, and sorts the differences by their reason. */
import { execFileSync } from 'node:child_process';
import { normalize } from 'node:path';
import type { SymbolTable } from '../symbol-table.ts';
import { ownChain } from './own-chain.ts';
import type { SourceFrame } from './source-frame.ts';

/**
 * - equal: names, files, lines and the whole chain
 * - another name: the function has several, of which each tool shows another one
 * - bare name: DWARF has no linkage name, as of templates over local types; the table has the symbol's
 * - clone: a part or copy of a function, which has a symbol of its own ("f.cold", "f.isra.0"), named as in .symtab
 * - plt: a stub, which other tools do not name
 * - no debug information: the address has none; the other tool guesses
 */
export const REASONS = [
  'equal',
  'another name',
  'bare name',
  'clone',
  'plt',
  'no debug information',
] as const;
/** What is not explained: the chain has another length, or differs in a name, a file or a line. */
export const DIFFERENCES = ['length', 'name', 'file', 'line'] as const;
export type Outcome = (typeof REASONS)[number] | (typeof DIFFERENCES)[number];

export interface ChainComparison {
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Of what is not explained, the first few. */
  readonly examples: readonly string[];
  /** Of each address. */
  readonly outcomes: readonly Outcome[];
}

const MAX_EXAMPLES = 5;

export function compareChains(
  table: SymbolTable,
  path: string,
  addresses: readonly number[],
  theirs: readonly (readonly SourceFrame[])[],
): ChainComparison {
  if (theirs.length !== addresses.length) {
    throw new Error(`${theirs.length} answers to ${addresses.length} addresses`);
  }
  const aliases = new Aliases(path);
  const counts = Object.fromEntries([...REASONS, ...DIFFERENCES].map((one) => [one, 0]));
  const examples: string[] = [];
  const outcomes = addresses.map((address, index) => {
    const own = ownChain(table, address);
    const their = theirs[index] ?? [];
    const outer = table.lookup(address);
    const outcome = compare(own, their, aliases, outer < 0 ? '' : table.name(outer));
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (DIFFERENCES.some((one) => one === outcome) && examples.length < MAX_EXAMPLES) {
      examples.push(`0x${address.toString(16)} ${outcome}: ${textOf(own)} instead of ${textOf(their)}`);
    }
    return outcome;
  });
  // Every outcome has a count: they are set above.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { counts: counts as Record<Outcome, number>, examples, outcomes };
}

function textOf(chain: readonly SourceFrame[]): string {
  return chain.map(({ name, file, line }) => `${name} ${file}:${line}`).join(' < ') || 'nothing';
}

function compare(
  own: readonly SourceFrame[],
  their: readonly SourceFrame[],
  aliases: Aliases,
  shownName: string,
): Outcome {
  const outer = own.at(-1);
  if (outer === undefined) return their.every(({ name }) => name === '') ? 'equal' : 'length';
  if (outer.name.endsWith('@plt')) return 'plt';
  if (own.length === 1 && outer.file === '' && outer.line === 0) {
    const same = their.length === 1 && their[0]?.name === outer.name && their[0].file === '';
    return same ? 'equal' : 'no debug information';
  }
  if (own.length !== their.length) return 'length';
  let outcome: Outcome = 'equal';
  for (let at = 0; at < own.length; at++) {
    const [mine, other] = [own[at], their[at]];
    if (mine === undefined || other === undefined) return 'length';
    if (mine.line !== other.line) return 'line';
    if (pathOf(mine.file) !== pathOf(other.file)) return 'file';
    if (mine.name === other.name) continue;
    if (at < own.length - 1) return 'name';
    outcome = aliases.sameFunction(mine.name, other.name);
    const bare = other.name.replace(/<.*$/, '');
    if (outcome === 'name' && bare !== '' && shownName.includes(bare)) outcome = 'bare name';
  }
  return outcome;
}

/** Debian compiles in "./posix" and names the file "./posix/glob.c": tools join both. */
function pathOf(file: string): string {
  return normalize(file.replace(/^(\.\/[\w/-]+)\/\1\//, '$1/'));
}

const CLONE = /\.(?:cold|part|isra|constprop|localalias|lto_priv|llvm)\b.*$/;

/** Names of functions by address. */
class Aliases {
  readonly #addresses = new Map<string, Set<string>>();

  constructor(path: string) {
    const text = execFileSync('nm', [path], { encoding: 'utf8', maxBuffer: 1024 ** 3 });
    for (const line of text.split('\n')) {
      const match = /^([0-9a-f]{16}) \w (.+)$/.exec(line);
      if (match?.[1] === undefined || match[2] === undefined) continue;
      const places = this.#addresses.get(match[2]) ?? new Set();
      places.add(match[1]);
      this.#addresses.set(match[2], places);
    }
  }

  sameFunction(mine: string, other: string): Outcome {
    const places = this.#addresses.get(mine) ?? new Set();
    if ([...(this.#addresses.get(other) ?? [])].some((place) => places.has(place))) return 'another name';
    if (mine.replace(CLONE, '') === other.replace(CLONE, '')) return 'clone';
    const aliases = [...this.#addresses].filter(([, all]) => [...all].some((place) => places.has(place)));
    if (aliases.some(([name]) => name.replace(CLONE, '') === other.replace(CLONE, ''))) return 'clone';
    return 'name';
  }
}

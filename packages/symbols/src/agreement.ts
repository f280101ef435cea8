/**
 * Whether two tables can be of one binary. Who sends a file says what its build id is, and nothing in the file proves
 * it: a table that contradicts the one in force is of another binary, or made up.
 */
import type { SymbolTable } from './symbol-table.ts';

/** Functions that are compared, spread over the table: more would tell no more. */
const COMPARED = 2000;
/** Too few to tell. */
const MIN_COMPARED = 8;
/**
 * Of these so many must have a function at the same address, and of those with one so many the same name. Two
 * sources of one binary agree in nearly all; symbols that begin at one address (aliases) have one name here and
 * another there.
 */
const MIN_FOUND = 0.5;
const MIN_SAME = 0.5;
/** Of tables from the same source: there are no aliases of another. */
const MIN_SAME_SOURCE = 0.9;

/** @param isBetterSource `next` is of a better source, which knows more functions, and other names for some */
export function agrees(before: SymbolTable, next: SymbolTable, isBetterSource: boolean): boolean {
  const { base, starts, functions } = before.columns;
  const step = Math.max(1, Math.floor(starts.length / COMPARED));
  let compared = 0;
  let found = 0;
  let same = 0;
  for (let range = 0; range < starts.length; range += step) {
    const name = before.name(functions[range] ?? 0);
    // What this product calls the stubs of imported functions, and functions without a name, says nothing.
    if (name === '' || name.endsWith('@plt')) continue;
    compared++;
    const other = next.lookup(base + (starts[range] ?? 0));
    if (other < 0) continue;
    found++;
    if (next.name(other) === name) same++;
  }
  if (compared < MIN_COMPARED) return true;
  if (!isBetterSource) return same >= compared * MIN_SAME_SOURCE;
  return found >= compared * MIN_FOUND && same >= found * MIN_SAME;
}

import type { BinariesAnswer } from '../session/answers.ts';

/** One build of a binary. What is not known by build is of all of them. */
export interface SymbolRow {
  /** Base name; "" for code in no known file. */
  readonly binary: string;
  readonly buildId: string;
  /** Builds of the binary. */
  readonly builds: number;
  /** Value of leaves in the binary; of all its builds. */
  readonly self: number;
  /** Value of leaves without a name. */
  readonly unnamed: number;
  /** Why, largest first. */
  readonly reasons: readonly string[];
  /** Value of stacks whose callers are missing from this binary on; of all its builds. */
  readonly stopped: number;
  readonly stoppedReasons: readonly string[];
}

/** The builds of all binaries, those with the most unnamed value first, else in the order of the answer. */
export function symbolRows(answer: BinariesAnswer): SymbolRow[] {
  const unnamed = new Map<string, { value: number; reasons: string[] }>();
  for (const { binary, buildId, self, reason } of answer.coverage?.unnamed ?? []) {
    add(unnamed, keyOf(binary, buildId), Number(self), reason);
  }
  const stopped = new Map<string, { value: number; reasons: string[] }>();
  for (const { binary, value, reason } of answer.coverage?.stopped ?? []) {
    add(stopped, binary, Number(value), reason);
  }
  return answer.binaries
    .flatMap(({ binary, buildIds, self }) =>
      buildIds.map((buildId) => ({
        binary,
        buildId,
        builds: buildIds.length,
        self: Number(self),
        unnamed: unnamed.get(keyOf(binary, buildId))?.value ?? 0,
        reasons: unnamed.get(keyOf(binary, buildId))?.reasons ?? [],
        stopped: stopped.get(binary)?.value ?? 0,
        stoppedReasons: stopped.get(binary)?.reasons ?? [],
      })),
    )
    .sort((a, b) => b.unnamed - a.unnamed);
}

function keyOf(binary: string, buildId: string): string {
  return `${buildId} ${binary}`;
}

function add(
  sums: Map<string, { value: number; reasons: string[] }>,
  key: string,
  value: number,
  reason: string,
): void {
  const known = sums.get(key);
  if (known === undefined) sums.set(key, { value, reasons: [reason] });
  else {
    known.value += value;
    known.reasons.push(reason);
  }
}

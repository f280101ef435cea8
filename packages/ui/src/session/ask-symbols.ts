import type { SymbolsClient } from '../api/symbols-client.ts';
import type { BinariesAnswer, StatusAnswer } from './answers.ts';
import { scopeOf, type Question } from './ask.ts';

/** Binaries on the page. More are counted below them. */
const MOST_BINARIES = 300;
/** What the server answers at once. */
const MOST_BUILD_IDS = 4096;

export async function askBinaries(question: Question): Promise<BinariesAnswer> {
  const { client, signal, window } = question;
  const answer = await client.binaries({ scope: scopeOf(question), limit: MOST_BINARIES }, { signal });
  return {
    window,
    total: Number(answer.total),
    binaries: answer.binaries,
    omitted: Number(answer.omittedBinaries),
    coverage: answer.coverage,
  };
}

/** Build ids of which the server may know something: not those of a kernel or of JIT code. */
export function buildIdsOf(answer: BinariesAnswer | undefined): readonly string[] {
  const found = new Set<string>();
  for (const { binary, buildIds } of answer?.binaries ?? []) {
    if (binary.startsWith('[')) continue;
    for (const buildId of buildIds) if (buildId !== '') found.add(buildId);
  }
  return [...found];
}

export async function askStatus(
  client: SymbolsClient,
  buildIds: readonly string[],
  signal: AbortSignal,
): Promise<StatusAnswer> {
  const asked = buildIds.slice(0, MOST_BUILD_IDS);
  // An empty list would ask for all that the server has.
  if (asked.length === 0) return { binaries: new Map(), omitted: 0 };
  const { binaries } = await client.status({ buildIds: [...asked] }, { signal });
  return {
    binaries: new Map(binaries.map((status) => [status.buildId, status])),
    omitted: buildIds.length - asked.length,
  };
}

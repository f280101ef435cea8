/**
 * From what the footers of all objects tell to the blocks that count: nothing that can be read is lost, and nothing
 * counts twice. Inputs and outputs of one work (a merge, a rollup, an erasure) may both be there, and so may
 * what an attempt left behind that was never committed.
 *
 *   a work counts     when others were made of what it wrote; when its inputs are gone, which happens after its commit
 *                     only; else when all of its outputs are there. Of works that share inputs one counts (inOrder).
 *   a rollup          does not count when what it was made of was merged on as not rolled up: then it was never committed.
 *   a block counts    when its work does, and no work that counts has taken its place. A segment whose batches are all in
 *                     others, or of which one is in a block that is sure to count, was written and never committed, since
 *                     batches are committed once: it does not count. Its other batches were never acked, and are not known.
 *   without origin    (from before they were kept) a block that holds exactly what others hold together takes their
 *                     place; times that are all whole cells say that it is a rollup.
 */
import type { BatchId, BlockEntry } from '../catalog/block-entry.ts';
import type { Origin, Work } from '../origin/origin.ts';

export interface FoundBlock {
  readonly entry: BlockEntry;
  /** Undefined: it was written before origins were kept. */
  readonly origin: Origin | undefined;
  /** Sums by profile type and service, and the first and last time of each, Unix ms. */
  readonly datasets: readonly FoundDataset[];
  /** The catalog has a live row of it. */
  readonly isKnown: boolean;
}

export interface FoundDataset {
  readonly name: string;
  readonly total: bigint;
  readonly timeMinMs: number;
  readonly timeMaxMs: number;
}

export interface AdoptionPlan {
  readonly live: readonly BlockEntry[];
  /** What is in live blocks too, or was never committed. */
  readonly replaced: readonly BlockEntry[];
  /** Ids of all that was replaced, also of what is not among the found. */
  readonly replacedIds: ReadonlySet<string>;
  /** Ids of those of the replaced ones that were written and did not count at any time: their batches are not known by them. */
  readonly neverCommitted: ReadonlySet<string>;
  /** Ids of live blocks that are in rollups too. */
  readonly rolledUp: ReadonlySet<string>;
  /** Live ones without an origin: their place is guessed. */
  readonly guessed: readonly BlockEntry[];
  /** Live ones of which a part may be in others as well: some of their batches are, or the rest of their work is not there. */
  readonly doubtful: readonly BlockEntry[];
}

const CELLS_MS = [3_600_000, 300_000] as const;

interface WorkGroup {
  readonly work: Work;
  readonly outputs: FoundBlock[];
}

/**
 * `unreadable`: ids of objects that are there and cannot be read: that they are not among the found proves nothing.
 * `erased`: ids of blocks of which an erasure has left nothing.
 */
export function planAdoption(
  found: readonly FoundBlock[],
  unreadable: Iterable<string> = [],
  erased: Iterable<string> = [],
): AdoptionPlan {
  const byId = new Map(found.map((block) => [block.entry.id, block]));
  const present = new Set([...byId.keys(), ...unreadable]);
  const works = new Map<string, WorkGroup>();
  for (const id of erased) {
    const work = { id: `erased ${id}`, outputs: 0, inputs: [id], beside: false, replaced: [] };
    works.set(work.id, { work, outputs: [] });
  }
  const madeInto = new Set<string>();
  for (const block of found) {
    const work = block.origin?.work;
    if (work === undefined) continue;
    for (const id of work.inputs) madeInto.add(id);
    for (const { id } of work.replaced) madeInto.add(id);
    const group = works.get(work.id) ?? { work, outputs: [] };
    works.set(work.id, group);
    group.outputs.push(block);
  }
  const gone = new Set<string>();
  const rolledUp = new Set<string>();
  const claimed = { beside: new Set<string>(), instead: new Set<string>() };
  const replaced = new Set<string>();
  const doubtful = new Set<string>();
  const neverCommitted = new Set<string>();
  /** What was merged on, and had no rollups by then. */
  const notRolledUp = new Set<string>();
  for (const { work, outputs } of inOrder([...works.values()], madeInto, present)) {
    const taken = work.beside ? claimed.beside : claimed.instead;
    const isUsed = outputs.some((block) => isProven(block, madeInto));
    const isWhole = outputs.length === work.outputs;
    const lostInputs = work.inputs.some((id) => !present.has(id));
    // Whole, used by nobody, and others have taken the place of what it was made of: an attempt that died before its commit.
    const isDead =
      isWhole &&
      !isUsed &&
      work.inputs.some((id) => replaced.has(id) || (work.beside && notRolledUp.has(id)));
    const counts = (isUsed || lostInputs || isWhole) && !isDead && !work.inputs.some((id) => taken.has(id));
    if (!counts) {
      for (const { entry } of outputs) {
        gone.add(entry.id);
        neverCommitted.add(entry.id);
      }
      continue;
    }
    const hadNoRollups = !work.beside && outputs.some(({ origin }) => origin?.place.rolledUp === false);
    for (const id of work.inputs) {
      taken.add(id);
      (work.beside ? rolledUp : gone).add(id);
      if (hadNoRollups) notRolledUp.add(id);
    }
    for (const { id } of work.replaced) {
      gone.add(id);
      replaced.add(id);
      if (hadNoRollups) notRolledUp.add(id);
    }
    if (!isWhole && !isUsed) for (const { entry } of outputs) doubtful.add(entry.id);
  }
  const old = foldOld(found.filter((block) => block.origin === undefined && !gone.has(block.entry.id)));
  for (const id of old.gone) gone.add(id);
  for (const id of old.rolledUp) rolledUp.add(id);
  for (const id of dropRepeated(found, gone, doubtful, madeInto)) neverCommitted.add(id);
  const place = (block: FoundBlock): BlockEntry => ({
    ...block.entry,
    ...(block.origin === undefined && !block.isKnown ? { resolutionMs: cellOf(block) } : {}),
    rolledUp: block.entry.rolledUp || rolledUp.has(block.entry.id),
  });
  const live = found.filter(({ entry }) => !gone.has(entry.id));
  return {
    live: live.map(place),
    replaced: found.filter(({ entry }) => gone.has(entry.id)).map(({ entry }) => entry),
    replacedIds: gone,
    neverCommitted,
    rolledUp: new Set([...rolledUp].filter((id) => byId.has(id) && !gone.has(id))),
    doubtful: live.filter(({ entry, isKnown }) => !isKnown && doubtful.has(entry.id)).map(place),
    guessed: live.filter(({ origin, isKnown }) => origin === undefined && !isKnown).map(place),
  };
}

/**
 * Segments that the catalog does not know and that were never committed: oldest first, since what was sent
 * again came later. Time and memory go with the number of batches, not with that of blocks. Returns their ids.
 */
function dropRepeated(
  found: readonly FoundBlock[],
  gone: Set<string>,
  doubtful: Set<string>,
  madeInto: ReadonlySet<string>,
): string[] {
  const dropped: string[] = [];
  const live = found.filter(({ entry }) => !gone.has(entry.id));
  // What the catalog knows was committed, and so was what others were made of.
  const isUncertain = ({ entry, origin, isKnown }: FoundBlock): boolean =>
    !isKnown && !madeInto.has(entry.id) && origin !== undefined && origin.work === undefined;
  const segments = live.filter(isUncertain);
  // How many of the live blocks hold a batch, by agent and number: of those in `segments`, the others do not matter.
  const holders = new Map<string, Map<bigint, number>>();
  // And in which of them it is as sure as the block is.
  const certain = new Map<string, Set<bigint>>();
  for (const { agentId, seq } of batchesOf(segments)) {
    const ofAgent = holders.get(agentId) ?? new Map<bigint, number>();
    holders.set(agentId, ofAgent.set(seq, 0));
  }
  const add = (block: FoundBlock, change: number): void => {
    for (const { agentId, seq } of batchesOf([block])) {
      const ofAgent = holders.get(agentId);
      const count = ofAgent?.get(seq);
      if (count === undefined) continue;
      ofAgent?.set(seq, count + change);
      if (isUncertain(block)) continue;
      certain.set(agentId, (certain.get(agentId) ?? new Set<bigint>()).add(seq));
    }
  };
  for (const block of live) add(block, 1);
  for (const segment of segments.toSorted((a, b) => (a.entry.id < b.entry.id ? -1 : 1))) {
    const batches = [...batchesOf([segment])];
    const elsewhere = batches.filter(({ agentId, seq }) => (holders.get(agentId)?.get(seq) ?? 0) > 1).length;
    if (elsewhere === 0) continue;
    const isRefuted = batches.some(({ agentId, seq }) => certain.get(agentId)?.has(seq) === true);
    if (elsewhere < batches.length && !isRefuted) {
      doubtful.add(segment.entry.id);
      continue;
    }
    dropped.push(segment.entry.id);
    gone.add(segment.entry.id);
    add(segment, -1);
  }
  return dropped;
}

function* batchesOf(blocks: readonly FoundBlock[]): Generator<BatchId> {
  for (const { origin } of blocks) if (origin !== undefined) yield* origin.batches.each();
}

function isProven({ entry, isKnown }: FoundBlock, madeInto: ReadonlySet<string>): boolean {
  return isKnown || madeInto.has(entry.id);
}

/**
 * Which of works that share inputs counts: the first one.
 *
 *   0  others were made of it, or the catalog knows it
 *   1  it alone tells where an input is that is gone
 *   2  all of its inputs are gone, which follows a commit; the one that tells of more of them first
 *   3  it is whole, or some of its inputs are gone. While they are there every choice has all that they hold; the one with fewest inputs
 *      first, since an erasure has one, and what it erased would come back with another
 *   4  what is left
 *
 * Then the latest: an attempt that failed is followed by another. Rollups last: what was merged on tells of them.
 */
function inOrder(
  groups: readonly WorkGroup[],
  madeInto: ReadonlySet<string>,
  present: ReadonlySet<string>,
): WorkGroup[] {
  const tellers = new Map<string, number>();
  for (const { work } of groups) {
    if (work.beside) continue;
    const told = new Set([...work.inputs, ...work.replaced.map(({ id }) => id)]);
    for (const id of told) tellers.set(id, (tellers.get(id) ?? 0) + 1);
  }
  const rank = ({ work, outputs }: WorkGroup): number => {
    if (outputs.some((block) => isProven(block, madeInto))) return 0;
    const lost = work.inputs.filter((id) => !present.has(id));
    if (!work.beside && lost.some((id) => tellers.get(id) === 1)) return 1;
    if (lost.length > 0 && lost.length === work.inputs.length) return 2;
    return lost.length > 0 || outputs.length === work.outputs ? 3 : 4;
  };
  const ranked = groups.map((group) => {
    const place = rank(group);
    const { inputs, beside } = group.work;
    return {
      group,
      order: [Number(beside), place, place === 2 ? -inputs.length : place === 3 ? inputs.length : 0],
      latest: group.outputs.reduce((most, { entry }) => (entry.id > most ? entry.id : most), ''),
    };
  });
  const compared = ranked.toSorted((a, b) => {
    const at = a.order.findIndex((value, index) => value !== b.order[index]);
    return at >= 0 ? (a.order[at] ?? 0) - (b.order[at] ?? 0) : a.latest > b.latest ? -1 : 1;
  });
  return compared.map(({ group }) => group);
}

/** Blocks without origins: which of them are whole in another one. */
function foldOld(blocks: readonly FoundBlock[]): { gone: Set<string>; rolledUp: Set<string> } {
  const gone = new Set<string>();
  const rolledUp = new Set<string>();
  const byTime = blocks.toSorted((a, b) => a.entry.timeMinMs - b.entry.timeMinMs);
  const largestFirst = blocks.toSorted((a, b) => b.entry.rows - a.entry.rows);
  for (const whole of largestFirst) {
    if (gone.has(whole.entry.id)) continue;
    const coarse = cellOf(whole) > 0;
    const parts: FoundBlock[] = [];
    for (let at = firstAt(byTime, whole.entry.timeMinMs); at < byTime.length; at++) {
      const part = byTime[at];
      if (part === undefined || part.entry.timeMinMs > endOf(whole)) break;
      if (part === whole || gone.has(part.entry.id) || cellOf(part) > cellOf(whole)) continue;
      if (part.entry.timeMaxMs <= endOf(whole)) parts.push(part);
    }
    const inside = coarse
      ? parts.filter((part) => cellOf(part) < cellOf(whole))
      : parts.filter((part) => cellOf(part) === 0);
    if (inside.length === 0 || !addUp(inside, whole)) continue;
    for (const { entry } of inside) (coarse ? rolledUp : gone).add(entry.id);
  }
  return { gone, rolledUp };
}

/** The last ms that a part of it may have. */
function endOf(whole: FoundBlock): number {
  return whole.entry.timeMaxMs + Math.max(0, cellOf(whole) - 1);
}

/** The first of the blocks, by time, that begins at `timeMs` or later. */
function firstAt(byTime: readonly FoundBlock[], timeMs: number): number {
  let low = 0;
  let high = byTime.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((byTime[middle]?.entry.timeMinMs ?? 0) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether the parts hold exactly what the whole does, in every sum. */
function addUp(parts: readonly FoundBlock[], whole: FoundBlock): boolean {
  const sums = new Map<string, bigint>();
  for (const { datasets } of parts) {
    for (const { name, total } of datasets) sums.set(name, (sums.get(name) ?? 0n) + total);
  }
  return (
    sums.size === whole.datasets.length && whole.datasets.every(({ name, total }) => sums.get(name) === total)
  );
}

/** The cell of a rollup; 0: it is none. */
function cellOf({ origin, entry, datasets }: FoundBlock): number {
  if (origin !== undefined || entry.resolutionMs > 0) return entry.resolutionMs;
  const isWhole = (cellMs: number) =>
    datasets.length > 0 &&
    datasets.every(({ timeMinMs, timeMaxMs }) => timeMinMs % cellMs === 0 && timeMaxMs % cellMs === 0);
  return CELLS_MS.find(isWhole) ?? 0;
}

/** Batches by agent, as ranges of their numbers: an agent counts upwards, so a day of it is a range or two. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AgentBatches, AgentBatchesSchema } from '@fleetflame/proto/block/v1/origin';
import type { BatchId } from '../catalog/block-entry.ts';

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

interface AgentRanges {
  /** Ascending, apart from each other. */
  readonly ranges: readonly Range[];
  /** When the last of the batches was written, Unix ms. */
  readonly writtenMs: number;
}

export class BatchRanges {
  readonly #agents: ReadonlyMap<string, AgentRanges>;

  private constructor(agents: ReadonlyMap<string, AgentRanges>) {
    this.#agents = agents;
  }

  static readonly none = new BatchRanges(new Map());

  static of(batches: readonly BatchId[], writtenMs: number): BatchRanges {
    const agents = new Map<string, Range[]>();
    for (const { agentId, seq } of batches) {
      const ranges = agents.get(agentId) ?? [];
      agents.set(agentId, ranges);
      ranges.push({ first: seq, last: seq });
    }
    return new BatchRanges(
      new Map([...agents].map(([agentId, ranges]) => [agentId, { ranges: joined(ranges), writtenMs }])),
    );
  }

  /** All of them, but for agents whose last batch was written before `sinceMs`. */
  static union(all: readonly BatchRanges[], sinceMs: number): BatchRanges {
    const agents = new Map<string, AgentRanges>();
    for (const [agentId, { ranges, writtenMs }] of all.flatMap((one) => [...one.#agents])) {
      if (writtenMs < sinceMs) continue;
      const there = agents.get(agentId);
      agents.set(agentId, {
        ranges: joined([...(there?.ranges ?? []), ...ranges]),
        writtenMs: Math.max(writtenMs, there?.writtenMs ?? 0),
      });
    }
    return new BatchRanges(agents);
  }

  /** What cannot be a range is left out. */
  static fromMessages(messages: readonly AgentBatches[]): BatchRanges {
    const agents = new Map<string, AgentRanges>();
    for (const { agentId, firstSeq, lastSeq, writtenMs } of messages) {
      const ranges = firstSeq.flatMap((first, at) => {
        const last = lastSeq[at] ?? first;
        return last < first ? [] : [{ first, last }];
      });
      agents.set(agentId, { ranges: joined(ranges), writtenMs: Number(writtenMs) });
    }
    return new BatchRanges(agents);
  }

  toMessages(): MessageInitShape<typeof AgentBatchesSchema>[] {
    return [...this.#agents].map(([agentId, { ranges, writtenMs }]) => ({
      agentId,
      firstSeq: ranges.map(({ first }) => first),
      lastSeq: ranges.map(({ last }) => last),
      writtenMs: BigInt(Math.trunc(writtenMs)),
    }));
  }

  get size(): number {
    let size = 0n;
    for (const { ranges } of this.#agents.values()) {
      for (const { first, last } of ranges) size += last - first + 1n;
    }
    return Number(size);
  }

  /** One by one, with when they were written at the latest. */
  *each(): Generator<BatchId & { readonly writtenMs: number }> {
    for (const [agentId, { ranges, writtenMs }] of this.#agents) {
      for (const { first, last } of ranges) {
        for (let seq = first; seq <= last; seq++) yield { agentId, seq, writtenMs };
      }
    }
  }
}

function joined(ranges: readonly Range[]): Range[] {
  const sorted = ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const out: Range[] = [];
  for (const range of sorted) {
    const before = out.at(-1);
    if (before === undefined || range.first > before.last + 1n) out.push(range);
    else if (range.last > before.last) out[out.length - 1] = { first: before.first, last: range.last };
  }
  return out;
}

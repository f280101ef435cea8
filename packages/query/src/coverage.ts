import { create } from '@bufbuild/protobuf';
import type { ResolvedType, StoppedStacks, UnnamedSelf } from '@fleetflame/profile';
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import { CoverageSchema, type Coverage } from '@fleetflame/proto/query/v1/query';
import type { BlockEntry, Snapshot } from '@fleetflame/store';
import { unitOf } from './plan.ts';

/** Collects, while a query runs, how much of what was asked for is behind its answer. */
export class CoverageBuilder {
  readonly #snapshot: Snapshot;
  readonly #range: { readonly fromMs: number; readonly toMs: number };
  readonly #missing = new Map<string, { readonly entry: BlockEntry; readonly reason: string }>();
  readonly #losses = new Map<string, bigint>();
  readonly #series = new Set<number>();
  #bytesRead = 0;
  #rows = 0;
  #type: ResolvedType = { id: '', ids: [], total: 0, isDefault: false, others: [] };
  #unnamed: readonly UnnamedSelf[] = [];
  #framesTooDeep = 0;
  #stopped: readonly StoppedStacks[] = [];

  constructor(snapshot: Snapshot, range: { readonly fromMs: number; readonly toMs: number }) {
    this.#snapshot = snapshot;
    this.#range = range;
    for (const entry of snapshot.quarantined) this.missing(entry, entry.reason);
  }

  bytesRead(bytes: number): void {
    this.#bytesRead += bytes;
  }

  missing(entry: BlockEntry, reason: string): void {
    this.#missing.set(entry.id, { entry, reason });
  }

  losses(footer: Footer): void {
    for (const { cause, samples } of footer.losses) {
      this.#losses.set(cause, (this.#losses.get(cause) ?? 0n) + samples);
    }
  }

  samples({ rows, series }: { readonly rows: number; readonly series: Iterable<number> }): void {
    this.#rows += rows;
    for (const fingerprint of series) this.#series.add(fingerprint);
  }

  profileType(type: ResolvedType): void {
    this.#type = type;
  }

  unnamed(unnamed: readonly UnnamedSelf[]): void {
    this.#unnamed = unnamed;
  }

  framesTooDeep(frames: number): void {
    this.#framesTooDeep = frames;
  }

  stopped(stopped: readonly StoppedStacks[]): void {
    this.#stopped = stopped;
  }

  build(): Coverage {
    const expected = this.#snapshot.blocks.length + this.#snapshot.quarantined.length;
    return create(CoverageSchema, {
      blocksExpected: expected,
      blocksAnswered: expected - this.#missing.size,
      missing: [
        ...[...this.#missing.values()].map(({ entry, reason }) => ({
          blockId: entry.id,
          fromMs: BigInt(entry.timeMinMs),
          toMs: BigInt(entry.timeMaxMs),
          reason,
        })),
        // Parts of the range that no block can answer any more.
        ...this.#snapshot.gaps.map(({ fromMs, toMs, reason }) => ({
          blockId: '',
          fromMs: BigInt(fromMs),
          toMs: BigInt(toMs),
          reason,
        })),
      ],
      bytesRead: BigInt(this.#bytesRead),
      newestSampleMs: BigInt(this.#snapshot.newestSampleMs),
      unnamedSelf: BigInt(this.#unnamed.reduce((sum, { self }) => sum + self, 0)),
      unnamed: this.#unnamed.map(({ binary, buildId, self, reason }) => ({
        binary,
        buildId,
        self: BigInt(self),
        reason,
      })),
      lost: [...this.#losses]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([cause, samples]) => ({ cause, samples })),
      profileType: this.#type.id,
      summedTypes: this.#type.ids.filter((id) => id !== this.#type.id),
      otherTypes: [...this.#type.others],
      unit: unitOf(this.#type.id),
      sampleRows: BigInt(this.#rows),
      series: this.#series.size,
      framesTooDeep: BigInt(this.#framesTooDeep),
      fromMs: BigInt(this.#range.fromMs),
      toMs: BigInt(this.#range.toMs),
      averageOverMs: BigInt(this.#range.toMs - this.#range.fromMs),
      stopped: this.#stopped.map(({ reason, binary, value }) => ({ reason, binary, value: BigInt(value) })),
    });
  }
}

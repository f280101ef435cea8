import type { StackEnd } from '../../collection.ts';
import type { Place } from './process-maps.ts';

/** How two unwinders agree on the same stacks. */
export class Agreement {
  samples = 0;
  equal = 0;
  /** Of the equal ones, how they ended by our word. */
  readonly ends = new Map<StackEnd, number>();
  /** Kind of difference and where, with the number and one example. */
  readonly differences = new Map<string, { count: number; example: string }>();

  /** Both leaf first. */
  add(ours: readonly Place[], theirs: readonly Place[], end: StackEnd): void {
    this.samples++;
    let same = 0;
    while (same < ours.length && same < theirs.length && isSame(ours[same]!, theirs[same]!)) same++;
    if (same === ours.length && same === theirs.length) {
      this.equal++;
      this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
      return;
    }
    const kind = describe(ours, theirs, same, end);
    const known = this.differences.get(kind);
    const example = `ours ${ours.map(print).join(' < ')} | theirs ${theirs.map(print).join(' < ')}`;
    this.differences.set(kind, { count: (known?.count ?? 0) + 1, example: known?.example ?? example });
  }
}

function isSame(a: Place, b: Place): boolean {
  return a.offset === b.offset && shortName(a.binary) === shortName(b.binary);
}

function describe(ours: readonly Place[], theirs: readonly Place[], same: number, end: StackEnd): string {
  const last = shortName(ours[same - 1]?.binary ?? theirs[0]?.binary ?? '');
  if (same === theirs.length) return `they stop in ${last}`;
  if (same === ours.length) return `we stop in ${last} (${end})`;
  return `another caller of ${last}`;
}

function shortName(binary: string): string {
  return binary.slice(binary.lastIndexOf('/') + 1).replace(/ \(deleted\)$/, '');
}

function print({ binary, offset }: Place): string {
  return `${shortName(binary)}+${offset.toString(16)}`;
}

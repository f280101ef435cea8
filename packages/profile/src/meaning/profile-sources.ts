import type { Block, SeriesIndex } from '../block/block.ts';

/**
 * Which series knows all profiles that a series could have been in. Samples have labels of their own (bytes="4096"), and a
 * profile in which none of them has that label is one all the same: it was nothing there. So each pushed profile is
 * noted at a series of the labels that were pushed with it, too, which has no samples: the source of all that have more labels.
 */
export class ProfileSources {
  readonly #block: Block;
  /** By the names of labels that sources have, joined: by type and their values, the source. */
  readonly #bySignature = new Map<
    string,
    { readonly names: readonly number[]; readonly rows: Map<string, SeriesIndex> }
  >();

  constructor(block: Block) {
    this.#block = block;
    const { series } = block;
    for (let row = 0; row < series.length; row++) {
      if (series.kind[row] === 0 || series.profileStart[row] === series.profileStart[row + 1]) continue;
      const names = [...series.labelName.subarray(series.labelStart[row], series.labelStart[row + 1])];
      const signature = names.join();
      let known = this.#bySignature.get(signature);
      if (known === undefined) this.#bySignature.set(signature, (known = { names, rows: new Map() }));
      const key = this.#key(row, names) ?? '';
      const before = known.rows.get(key);
      if (before === undefined || this.#count(before) < this.#count(row)) known.rows.set(key, row);
    }
  }

  /** The series itself, when none knows of more profiles. */
  of(row: SeriesIndex): SeriesIndex {
    let best = row;
    for (const { names, rows } of this.#bySignature.values()) {
      const key = this.#key(row, names);
      const source = key === undefined ? undefined : rows.get(key);
      if (source !== undefined && this.#count(source) > this.#count(best)) best = source;
    }
    return best;
  }

  #count(row: SeriesIndex): number {
    const { profileStart } = this.#block.series;
    return profileStart[row + 1]! - profileStart[row]!;
  }

  /** Undefined: the series lacks one of the labels. */
  #key(row: SeriesIndex, names: readonly number[]): string | undefined {
    const { profileType, kind, labelStart, labelName, labelValue } = this.#block.series;
    let key = `${profileType[row]} ${kind[row]}`;
    let at = labelStart[row]!;
    // Both ascend by name, but names are compared as numbers of strings here: look for each.
    for (const name of names) {
      while (at < labelStart[row + 1]! && labelName[at] !== name) at++;
      if (at === labelStart[row + 1]) return undefined;
      key += ` ${labelValue[at]}`;
    }
    return key;
  }
}

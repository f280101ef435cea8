/**
 * Which datasets their profiles want to be shown first: what pprof calls default_sample_type. It is a mark of a dataset,
 * (profile type, service), that merging unites, and that readers of before do not see.
 */
import type { Block } from './block.ts';

export type DefaultTypes = ReadonlySet<string>;

/** How a dataset is called in the set. */
export function datasetKey(profileType: string, serviceName: string): string {
  return JSON.stringify([profileType, serviceName]);
}

/** What any of them says; nothing when none does, so that blocks without are what they always were. */
export function uniteDefaults(parts: readonly Pick<Block, 'defaultTypes'>[]): {
  readonly defaultTypes?: DefaultTypes;
} {
  const said = parts.flatMap(({ defaultTypes }) => (defaultTypes === undefined ? [] : [...defaultTypes]));
  return said.length === 0 ? {} : { defaultTypes: new Set(said) };
}

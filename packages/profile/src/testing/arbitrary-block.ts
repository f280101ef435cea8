import * as fc from 'fast-check';

import { MAPPING_KINDS, SERIES_KINDS, type Block } from '../block/block.ts';
import { datasetKey } from '../block/default-types.ts';
import { BlockBuilder } from '../block/block-builder.ts';
import { TEST_PROFILE_TYPE, TEST_TIME_MS } from './block-from-text.ts';

const PROFILE_TYPES = [TEST_PROFILE_TYPE, 'memory:alloc_space:bytes:space:bytes'];

/** A small world, so that blocks drawn from it share series, stacks and times. */
const sample = fc.record({
  profileType: fc.constantFrom(...PROFILE_TYPES),
  period: fc.constantFrom(0, 10_000_000, 2 ** 40),
  labels: fc.dictionary(
    fc.constantFrom('service_name', 'host_name', 'a', 'zone', 'naïve 火'),
    fc.constantFrom('api', 'db', '', '火', '\u{1f525}', '\uff5e'),
  ),
  frames: fc.array(
    fc.record({
      file: fc.constantFrom('', '/bin/api', '[kernel]'),
      kind: fc.constantFrom(...MAPPING_KINDS),
      addressLow: fc.constantFrom(0, 16, 0xffff_ffff),
      addressHigh: fc.constantFrom(0, 0xffff_ffff),
      names: fc.array(fc.constantFrom('main', 'handle', 'std::vector<int>', ''), { maxLength: 2 }),
      line: fc.constantFrom(0, 7),
      column: fc.constantFrom(0, 0, 3),
    }),
    { maxLength: 4 },
  ),
  kind: fc.constantFrom('rate', ...SERIES_KINDS),
  profile: fc.option(fc.constantFrom(0, 60_000), { nil: undefined, freq: 3 }),
  time: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2 ** 30 })),
  value: fc.oneof(fc.integer({ min: -3, max: 9 }), fc.integer({ min: 2 ** 33, max: 2 ** 40 })),
});

const loss = fc.tuple(fc.constantFrom('ring_full', 'table_full'), fc.integer({ min: 1, max: 2 ** 40 }));

/**
 * Valid blocks, from empty to a few dozen rows, that overlap each other in everything. `instants`: all series are rates
 * without profiles.
 */
export function arbitraryBlock({ instants = false } = {}): fc.Arbitrary<Block> {
  const input = { samples: fc.array(sample, { maxLength: 24 }), losses: fc.array(loss, { maxLength: 2 }) };
  const defaults = fc.subarray(['api', 'db'].map((service) => datasetKey(TEST_PROFILE_TYPE, service)));
  return fc.record({ ...input, defaults }).map(({ samples, losses, defaults }) => {
    const builder = new BlockBuilder();
    for (const { profileType, period, labels, frames, kind, profile, time, value } of samples) {
      let stack = 0;
      for (const { file, kind, addressLow, addressHigh, names, line, column } of frames) {
        const mapping = builder.mapping(builder.string(file), builder.string(file && 'ab12'), kind);
        const functions = names.flatMap((name) => {
          const index = builder.string(name);
          return [builder.function(index, index, builder.string(`${name}.c`), line), line];
        });
        stack = builder.stack(
          stack,
          builder.location(
            mapping,
            addressLow,
            addressHigh,
            functions,
            names.map(() => column),
          ),
        );
      }
      const series = builder.series(profileType, period, labels, instants ? 'rate' : kind);
      if (!instants && profile !== undefined) builder.profile(series, TEST_TIME_MS + time, profile);
      builder.add(series, stack, TEST_TIME_MS + time, value);
    }
    for (const [cause, count] of losses) builder.loss(cause, count);
    const block = builder.build();
    return defaults.length === 0 ? block : { ...block, defaultTypes: new Set(defaults) };
  });
}

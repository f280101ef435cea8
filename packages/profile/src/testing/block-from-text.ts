import type { Block } from '../block/block.ts';
import { BlockBuilder } from '../block/block-builder.ts';

export interface BlockFromTextOptions {
  /** Default process_cpu:cpu:nanoseconds:cpu:nanoseconds. */
  readonly profileType?: string;
  /** Default 10,000,000: 100 Hz. */
  readonly period?: number;
  /** Default { service_name: 'test' }. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Unix milliseconds of lines without a time of their own. Default 1,700,000,000,000. */
  readonly timeMs?: number;
}

export const TEST_PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const TEST_TIME_MS = 1_700_000_000_000;

/**
 * A block from text, one stack per line, outermost frame first; `@+ms` moves a line in time:
 *
 *   main;handle;parse 30
 *   main;handle;write 12 @+1000
 */
export function blockFromText(text: string, options: BlockFromTextOptions = {}): Block {
  const builder = new BlockBuilder();
  const series = builder.series(
    options.profileType ?? TEST_PROFILE_TYPE,
    options.period ?? 10_000_000,
    options.labels ?? { service_name: 'test' },
  );
  for (const line of text.split('\n').map((line) => line.trim())) {
    if (line === '') continue;
    const parts = /^(?<frames>.*?)\s*(?<value>-?\d+)(?:\s+@\+(?<offset>\d+))?$/u.exec(line)?.groups;
    if (parts === undefined) throw new Error(`not "frame;frame value [@+ms]": ${line}`);
    let stack = 0;
    for (const frame of (parts['frames'] ?? '').split(';').filter((name) => name !== '')) {
      const fn = builder.function(builder.string(frame), 0, 0, 0);
      stack = builder.stack(stack, builder.location(0, 0, 0, [fn, 0]));
    }
    const timeMs = (options.timeMs ?? TEST_TIME_MS) + Number(parts['offset'] ?? 0);
    builder.add(series, stack, timeMs, Number(parts['value']));
  }
  return builder.build();
}

/**
 * Reads a block with nothing but docs/format.md: the container by hand, the tables with another
 * implementation of Arrow (Polars, in Rust). It imports none of the code that reads blocks.
 */
import { readFileSync } from 'node:fs';

import { Footer as ArrowFooter } from 'apache-arrow/ipc/metadata/file';
import pl from 'nodejs-polars';
import { describe, expect, test } from 'vitest';

import { blockFromText, describeBlock } from '../testing/index.ts';
import type { Block } from './block.ts';
import { BlockBuilder } from './block-builder.ts';
import { datasetKey } from './default-types.ts';
import { encodeBlock } from './encode-block.ts';
import { BLOCK_LIMITS } from './limits.ts';
import { mergeBlocks } from './merge-blocks.ts';

const TABLES = ['series', 'stacks', 'locations', 'functions', 'mappings', 'points', 'samples'];
const KINDS = ['unknown', 'native', 'kernel', 'jit', 'interpreted', 'vdso', 'native_offset'];
const text = new TextDecoder('utf-8', { fatal: true });

function crc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** The protobuf wire format: fields by number, in order; varints as bigint, the rest as bytes. */
function protobuf(bytes: Uint8Array): Map<number, (bigint | Uint8Array)[]> {
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[at++]!);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    let value: bigint | Uint8Array;
    if (key % 8 === 0) {
      value = varint();
    } else {
      const length = key % 8 === 5 ? 4 : Number(varint());
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), value]);
  }
  return fields;
}

class Message {
  readonly #fields: Map<number, (bigint | Uint8Array)[]>;
  constructor(bytes: Uint8Array) {
    this.#fields = protobuf(bytes);
  }
  number(field: number): number {
    return Number(this.#fields.get(field)?.[0] ?? 0n);
  }
  zigzag(field: number): number {
    const raw = this.number(field);
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
  crc(field: number): number {
    const bytes = this.bytes(field);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
  bytes(field: number): Uint8Array {
    return (this.#fields.get(field)?.[0] ?? new Uint8Array(0)) as Uint8Array;
  }
  string(field: number): string {
    return text.decode(this.bytes(field));
  }
  messages(field: number): Message[] {
    return (this.#fields.get(field) ?? []).map((bytes) => new Message(bytes as Uint8Array));
  }
}

type Row = Record<string, unknown>;

interface DocumentBlock {
  readonly footer: Message;
  readonly tables: ReadonlyMap<string, Row[]>;
}

function readObject(bytes: Uint8Array): DocumentBlock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  expect(text.decode(bytes.subarray(0, 8))).toBe('FLEETBK1');
  expect(text.decode(bytes.subarray(-8))).toBe('FLEETBK1');
  const length = view.getUint32(bytes.length - 16, true);
  const footerAt = bytes.length - 16 - length;
  const footerBytes = bytes.subarray(footerAt, footerAt + length);
  expect(crc(footerBytes)).toBe(view.getUint32(bytes.length - 12, true));
  const footer = new Message(footerBytes);
  expect([2, 3]).toContain(footer.number(1));
  const entries = footer.messages(4);
  expect(entries.map((entry) => entry.string(1))).toEqual(TABLES);
  let end = 8;
  const tables = new Map<string, Row[]>();
  for (const entry of entries) {
    const offset = entry.number(2);
    expect(offset).toBe(Math.ceil(end / 8) * 8);
    expect(bytes.subarray(end, offset).every((byte) => byte === 0)).toBe(true);
    end = offset + entry.number(3);
    const table = bytes.slice(offset, end);
    expect(crc(table)).toBe(entry.crc(4));
    const rows = pl.readIPC(Buffer.from(table)).toRecords() as Row[];
    expect(rows.length).toBe(entry.number(5));
    tables.set(entry.string(1), rows);
  }
  expect(end).toBe(footerAt);
  undoDeltas(tables, footer);
  return { footer, tables };
}

/** "Differences": puts the columns `parent`, `address`, `stack`, `times` and `values` into the rows. */
function undoDeltas(tables: ReadonlyMap<string, Row[]>, footer: Message): void {
  for (const [i, row] of tables.get('stacks')!.entries()) row['parent'] = i - Number(row['parent_distance']);
  let address = 0n;
  for (const row of tables.get('locations')!) {
    address = BigInt.asUintN(64, address + BigInt(row['address_delta'] as number | bigint));
    row['address'] = address;
  }
  const points = tables.get('points')!;
  let point = 0;
  for (const dataset of footer.messages(5)) {
    const first = dataset.number(5);
    let stack = 0;
    let above = 0;
    for (const row of tables.get('samples')!.slice(first, first + dataset.number(6))) {
      row['stack'] = stack = (stack + Number(row['stack_delta'])) % 2 ** 32;
      const own = points.slice(point, (point += Number(row['points'])));
      let time = above;
      row['times'] = own.map((p) => (time = (time + Number(p['time_delta'])) % 2 ** 32));
      row['values'] = own.map((p) => p['value']);
      [above] = row['times'] as [number];
    }
  }
  expect(point).toBe(points.length);
}

/** Of the record batches of a table, found by the library's reading of the Arrow footer. */
function batchChecksums(bytes: Uint8Array, footer: Message, table: string): number[] {
  const entry = footer.messages(4).find((e) => e.string(1) === table)!;
  const samples = bytes.slice(entry.number(2), entry.number(2) + entry.number(3));
  const footerBytes = new DataView(samples.buffer).getInt32(samples.length - 10, true);
  const arrowFooter = ArrowFooter.decode(samples.subarray(-10 - footerBytes, -10));
  return Array.from(arrowFooter.recordBatches(), ({ offset, metaDataLength, bodyLength }) =>
    crc(samples.subarray(offset, offset + metaDataLength + (bodyLength <= 65_536 ? bodyLength : 0))),
  );
}

/** One dataset whose body has more than 65,536 bytes. */
function manyPoints(): Block {
  const builder = new BlockBuilder();
  const series = builder.series('cpu', 1, { service_name: 'large' });
  for (let i = 0; i < 20_000; i++) {
    builder.add(series, 0, 1000 + (Math.imul(i, 0x9e3779b1) >>> 8), 1 + (Math.imul(i, 0x85ebca6b) >>> 1));
  }
  return builder.build();
}

function seriesLine({ profile_type: type, period, labels, kind = 0 }: Row): string {
  const pairs = (labels as { name: string; value: string }[]).map(({ name, value }) => [name, value]);
  const suffix = ['', ' gauge', ' cumulative'][Number(kind)];
  return `${String(type)} ${String(period)} ${JSON.stringify(Object.fromEntries(pairs))}${suffix}`;
}

/** The same lines as describeBlock gives, from the document's tables. */
function describeDocumentBlock({ footer, tables }: DocumentBlock): string[] {
  const table = (name: string): Row[] => tables.get(name) ?? [];
  const start = footer.number(2);
  const frame = (index: number): string => {
    const location = table('locations')[index]!;
    const lines = (location['lines'] as { function: number; line: number; column?: number }[]).map(
      ({ function: fn, line, column = 0 }) => {
        const row = table('functions')[fn]!;
        const more = [
          row['system_name'],
          row['filename'],
          row['start_line'],
          line,
          ...(column === 0 ? [] : [column]),
        ];
        return more.join(',') === ',,0,0' ? String(row['name']) : JSON.stringify([row['name'], ...more]);
      },
    );
    const address = BigInt(location['address'] as number | bigint);
    if (location['mapping'] === 0 && address === 0n && lines.length > 0) return lines.join('<');
    const mapping = table('mappings')[location['mapping'] as number]!;
    const kind = KINDS[mapping['kind'] as number];
    const file = JSON.stringify(mapping['file']);
    return `${file}[${String(mapping['build_id'])},${kind}]+0x${address.toString(16)}(${lines.join('<')})`;
  };
  const stack = (row: number): string => {
    const path: string[] = [];
    for (let at = row; at !== 0; at = table('stacks')[at]!['parent'] as number) {
      path.unshift(frame(table('stacks')[at]!['location'] as number));
    }
    return path.join(';');
  };
  const lines = table('samples').map((row) => {
    const times = row['times'] as number[];
    const values = row['values'] as number[];
    const points = times.map((time, i) => `${start + time} ${values[i]}`).join(', ');
    const head = `${seriesLine(table('series')[row['series'] as number]!)} ${stack(row['stack'] as number)}`;
    return `${head} = ${String(row['total'])}: ${points}`;
  });
  for (const row of table('series')) {
    const profiles = (row['profiles'] ?? []) as { time: number; duration: number; count: number }[];
    const list = profiles.map(({ time, duration, count }) => `${start + time}+${duration} x${count}`);
    if (list.length > 0) lines.push(`profiles ${seriesLine(row)}: ${list.join(', ')}`);
  }
  const losses = footer.messages(6).map((loss) => `loss ${loss.string(1)} ${loss.number(2)}`);
  const defaults = footer
    .messages(5)
    .filter((dataset) => dataset.number(14) === 1)
    .map((dataset) => `default ${dataset.string(1)} ${JSON.stringify(dataset.string(2))}`);
  return [`time ${start} ${footer.number(3)}`, ...losses.sort(), ...defaults, ...lines.sort()];
}

/** What makes a block one of version 3. */
function snapshots(): Block {
  const builder = new BlockBuilder();
  const gauge = builder.series('goroutine:goroutine:count::', 1, { service_name: 'api' }, 'gauge');
  const cpu = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1, { service_name: 'api' });
  for (const timeMs of [1000, 11_000]) builder.profile(gauge, timeMs, 0);
  builder.profile(cpu, 1000, 60_000);
  builder.profile(cpu, 1000, 60_000);
  builder.add(gauge, 0, 1000, 100);
  builder.add(cpu, 0, 1000, 6e9);
  return mergeBlocks([builder.build(), symbolized().build()]);
}

function symbolized(columns: readonly number[] = []): BlockBuilder {
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string('/bin/api'), builder.string('ab12'), 'native');
  const name = builder.string('std::sort<int>');
  const fn = builder.function(name, builder.string('_ZSt4sort'), builder.string('sort.h 火'), 7);
  const inlined = builder.function(builder.string('less'), 0, 0, 0);
  const named = builder.stack(0, builder.location(mapping, 0x1000, 1, [inlined, 3, fn, 9], columns));
  const unnamed = builder.stack(named, builder.location(mapping, 0x2000, 0, []));
  const labels = { service_name: 'api', host_name: 'a' };
  builder.add(builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, labels), unnamed, 1000, 5);
  builder.add(builder.series('memory:alloc:bytes::', 0, {}), named, 1500, -3);
  builder.loss('ring_full', 3);
  return builder;
}

describe('a reader written from docs/format.md', () => {
  test.each([
    [
      'plain names, two services',
      () =>
        mergeBlocks([
          blockFromText('main;parse 30\nmain;write 12 @+1000', { labels: { service_name: 'a' } }),
          blockFromText('main;write 4', { labels: { service_name: 'b', zone: 'x' } }),
        ]),
    ],
    ['values beyond 32 bits', () => blockFromText('main 9000000000\nmain;f 1 @+5')],
    ['mappings, inlined lines, losses, negative values', () => symbolized().build()],
    ['columns of lines, which make version 3', () => symbolized([4, 0]).build()],
    ['kinds and profiles', snapshots],
    [
      'what is to be shown first',
      () => ({ ...snapshots(), defaultTypes: new Set([datasetKey('goroutine:goroutine:count::', 'api')]) }),
    ],
    ['nothing', () => new BlockBuilder().build()],
  ])('finds in an object what was put in: %s', (_, make) => {
    const block = make();
    expect(describeDocumentBlock(readObject(encodeBlock(block)))).toEqual(describeBlock(block));
  });

  test('finds version 2 where nothing needs version 3, so that a build from before reads it', () => {
    expect(readObject(encodeBlock(blockFromText('main 1'))).footer.number(1)).toBe(2);
    const { footer } = readObject(encodeBlock(snapshots()));
    expect(footer.number(1)).toBe(3);
    expect(footer.messages(5).map((dataset) => [dataset.number(12), dataset.number(13)])).toEqual([
      [2, 0],
      [0, 0],
      [0, 60_000],
    ]);
  });

  test('finds each dataset with its sums', () => {
    const plain = blockFromText('main 4\nmain;f 6', { timeMs: 1200 });
    const block = mergeBlocks([symbolized().build(), plain, manyPoints()]);
    const bytes = encodeBlock(block);
    const { footer, tables } = readObject(bytes);
    const samples = tables.get('samples')!;
    let covered = 0;
    for (const [field, table] of [
      [10, 'samples'],
      [11, 'points'],
    ] as const) {
      const found = footer.messages(5).map((dataset) => dataset.crc(field));
      expect(found).toEqual(batchChecksums(bytes, footer, table));
    }
    for (const dataset of footer.messages(5)) {
      expect(dataset.number(5)).toBe(covered);
      const rows = samples.slice(covered, (covered += dataset.number(6)));
      expect(rows.reduce((sum, row) => sum + Number(row['total']), 0)).toBe(dataset.zigzag(9));
      const [first, last] = [dataset.number(3), dataset.number(3) + dataset.number(4) - 1];
      const series = rows.map((row) => Number(row['series']));
      expect(Math.min(...series) >= first && Math.max(...series) <= last).toBe(true);
      const times = rows.flatMap((row) => row['times'] as number[]).map((time) => footer.number(2) + time);
      expect([Math.min(...times), Math.max(...times)]).toEqual([dataset.number(7), dataset.number(8)]);
      for (const row of series) {
        const { profile_type: type, labels } = tables.get('series')![row]!;
        const service = (labels as { name: string; value: string }[]).find((l) => l.name === 'service_name');
        expect([type, service?.value ?? '']).toEqual([dataset.string(1), dataset.string(2)]);
      }
    }
    expect(covered).toBe(samples.length);
  });
});

describe('docs/format.md', () => {
  const document = readFileSync(new URL('../../../../docs/format.md', import.meta.url), 'utf8');

  test('names the limits that the code has', () => {
    const { datasets, rows, stringLength, labelsPerSeries, stackDepth, lossCauses } = BLOCK_LIMITS;
    for (const limit of [datasets, rows, stringLength, labelsPerSeries, stackDepth, lossCauses]) {
      expect(document).toContain(`| ${limit.toLocaleString('en-US')}`);
    }
    expect([BLOCK_LIMITS.footerBytes, BLOCK_LIMITS.inflatedBytes]).toEqual([16 * 2 ** 20, 2 * 2 ** 30]);
  });
});

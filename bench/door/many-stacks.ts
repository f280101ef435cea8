/**
 * A pprof profile that is small as a file and large as a tree: 70,000 samples whose stacks share nothing but their two
 * outermost frames, 3.3 million prefixes in all, some 200 kB of gzip.
 */
import { gzipSync } from 'node:zlib';

const ROOTS = 300;
const SAMPLES = 70_000;
/** Frames below the two that tell the stacks apart. */
const DEPTH = 46;

export function manyStacks(): Uint8Array {
  const strings = ['', 'cpu', 'nanoseconds'];
  const parts: Buffer[] = [bytes(1, Buffer.concat([number(1, 1), number(2, 2)]))];
  for (let id = 1; id <= ROOTS; id++) {
    const name = strings.push(`function${id}`) - 1;
    parts.push(bytes(5, Buffer.concat([number(1, id), number(2, name)])));
    parts.push(bytes(4, Buffer.concat([number(1, id), bytes(4, number(1, id))])));
  }
  // Leaf first, as pprof has them: all the same but for the last two.
  const below = Buffer.concat(Array.from({ length: DEPTH }, (_, i) => varint((i % 100) + 1)));
  for (let sample = 0; sample < SAMPLES; sample++) {
    const outer = [(sample % ROOTS) + 1, Math.floor(sample / ROOTS) + 1].map(varint);
    const stack = Buffer.concat([below, ...outer]);
    parts.push(bytes(2, Buffer.concat([bytes(1, stack), bytes(2, varint(10_000_000))])));
  }
  parts.push(bytes(11, Buffer.concat([number(1, 1), number(2, 2)])), number(12, 10_000_000));
  return gzipSync(Buffer.concat([...parts, ...strings.map((text) => bytes(6, Buffer.from(text)))]), {
    level: 9,
  });
}

export function varint(value: number): Buffer {
  const out: number[] = [];
  let left = value;
  while (left > 127) {
    out.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  return Buffer.from([...out, left]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

export function bytes(field: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

/** What a column takes under several encodings, all followed by zstd as Arrow's buffers are. */
import { constants, zstdCompressSync } from 'node:zlib';
import type { Block } from '@fleetflame/profile';

const LEVELS = [1, 3, 9] as const;

export function tryEncodings(name: string, block: Block, samples: number): void {
  const { samples: rows, stacks, locations } = block;
  const sizes = (array: ArrayBufferView): string =>
    LEVELS.map((level) => (zstd(array, level) / samples).toFixed(3)).join('  ');
  const lines: readonly (readonly [string, ArrayBufferView])[] = [
    ['time', rows.time],
    ['time, difference to the point above', timeDeltas(block)],
    ['offsets of lists of points', rows.pointStart],
    ['numbers of points', rows.pointStart.subarray(1).map((end, row) => end - rows.pointStart[row]!)],
    ['stack', rows.stack],
    ['stack, difference to the row above', differences(rows.stack)],
    ['parent', stacks.parent],
    ['parent, distance from the row', stacks.parent.map((parent, row) => row - parent)],
    ['location of a stack', stacks.location],
    ['address', locations.address],
    ['address, sorted, difference', sortedAddresses(block)],
    ['value', Uint32Array.from(rows.value)],
  ];
  console.log(`${name}: bytes per sample by zstd ${LEVELS.join(', ')}`);
  for (const [what, array] of lines) console.log(`  ${what.padEnd(40)} ${sizes(array)}`);
}

function zstd(array: ArrayBufferView, level: number): number {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }).length;
}

function differences(values: Uint32Array): Uint32Array {
  return values.map((value, i) => value - (i === 0 ? 0 : values[i - 1]!));
}

function timeDeltas({ samples }: Block): Uint32Array {
  const { pointStart, time } = samples;
  const out = new Uint32Array(time.length);
  let above = 0;
  for (let row = 0; row < samples.length; row++) {
    let before = above;
    above = time[pointStart[row]!]!;
    for (let point = pointStart[row]!; point < pointStart[row + 1]!; point++) {
      out[point] = time[point]! - before;
      before = time[point]!;
    }
  }
  return out;
}

function sortedAddresses({ locations }: Block): BigUint64Array {
  const { mapping, address } = locations;
  const order = Uint32Array.from(mapping.keys()).sort(
    (a, b) => mapping[a]! - mapping[b]! || Number(address[a]! - address[b]!),
  );
  let before = 0n;
  return BigUint64Array.from(order, (row) => {
    const difference = address[row]! - before;
    before = address[row]!;
    return BigInt.asUintN(64, difference);
  });
}

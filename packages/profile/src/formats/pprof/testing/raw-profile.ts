/** pprof bytes by hand, for what no well-behaved writer produces. */

/** A varint of a uint64, or of a negative int64 in two's complement. */
export function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** A varint field. */
export function int(field: number, value: number | bigint): number[] {
  return [...varint((BigInt(field) << 3n) | 0n), ...varint(value)];
}

/** A length-delimited field: a message, a packed list or a string. */
export function bytes(field: number, ...parts: (readonly number[] | string)[]): number[] {
  const body = parts.flatMap((part) =>
    typeof part === 'string' ? [...new TextEncoder().encode(part)] : part,
  );
  return [...varint((BigInt(field) << 3n) | 2n), ...varint(body.length), ...body];
}

/** Strings that rawProfile has by default, by their index. */
const STRINGS = ['', 'cpu', 'nanoseconds', 'main', 'handle', 'main.c', 'route', '/a', 'bytes', 'app', 'ab12'];

/** The parts of a small valid profile; each test breaks one. */
const PARTS = {
  sampleType: bytes(1, int(1, 1), int(2, 2)),
  sample: bytes(2, bytes(1, varint(2), varint(1)), bytes(2, varint(30)), bytes(3, int(1, 6), int(2, 7))),
  mapping: bytes(3, int(1, 1), int(5, 9), int(6, 10)),
  location: [
    ...bytes(4, int(1, 1), int(2, 1), int(3, 0x1000), bytes(4, int(1, 1), int(2, 7))),
    ...bytes(4, int(1, 2), int(2, 1), int(3, 0x2000), bytes(4, int(1, 2), int(2, 9))),
  ],
  function: [
    ...bytes(5, int(1, 1), int(2, 3), int(3, 3), int(4, 5), int(5, 5)),
    ...bytes(5, int(1, 2), int(2, 4), int(3, 4), int(4, 5)),
  ],
  strings: STRINGS.flatMap((text) => bytes(6, text)),
  timeNanos: int(9, 1_700_000_000_000_000_000n),
  durationNanos: int(10, 10_000_000_000n),
  periodType: bytes(11, int(1, 1), int(2, 2)),
  period: int(12, 10_000_000),
  more: [] as readonly number[],
};

export function rawProfile(parts: Partial<Record<keyof typeof PARTS, readonly number[]>> = {}): Uint8Array {
  return Uint8Array.from(Object.values({ ...PARTS, ...parts }).flat());
}

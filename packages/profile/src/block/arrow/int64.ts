/** int64 columns as float64 arrays and back, two 32-bit words at a time: no BigInt per value. */

const TWO_32 = 0x1_0000_0000;

/** Values must be integers between -2^63 and 2^63. */
export function int64FromFloat64(values: Float64Array): BigInt64Array {
  const out = new BigInt64Array(values.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Stores take the low 32 bits of an integer below 2^53, also of a negative one.
    const high = Math.floor(value / TWO_32);
    words[2 * i] = value - high * TWO_32;
    words[2 * i + 1] = high;
  }
  return out;
}

/** Exact up to 2^53, beyond that the nearest float64. */
export function float64FromInt64(values: BigInt64Array): Float64Array {
  const out = new Float64Array(values.length);
  const low = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  const high = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  for (let i = 0; i < out.length; i++) out[i] = high[2 * i + 1]! * TWO_32 + low[2 * i]!;
  return out;
}

import { describe, expect, it } from 'vitest';
import { parseBytes } from './bytes.ts';

const MAX = 1024 ** 3;

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['1048576', 1_048_576],
    ['500kB', 500_000],
    ['32MiB', 33_554_432],
    ['0.5 MiB', 524_288],
    ['1GiB', MAX],
  ])('reads %s', (text, bytes) => expect(parseBytes(text, '--x', MAX)).toBe(bytes));

  it.each(['', '-1', '2GiB', '32mib', 'MiB', '1e9', '1 2', '0x10', 'NaN'])('refuses "%s"', (text) => {
    expect(() => parseBytes(text, '--x', MAX)).toThrow(
      `--x: "${text}" is not a size from 0 to 1024MiB; write for example 500kB or 32MiB`,
    );
  });
});

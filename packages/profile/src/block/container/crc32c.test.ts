import { Crc32c } from '@aws-crypto/crc32c';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { crc32c } from './crc32c.ts';

describe('crc32c', () => {
  test('of "123456789" is e3069283', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  test('agrees with another implementation, wherever in memory the bytes begin', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(8), (all, start) => {
        const bytes = all.subarray(start);
        expect(crc32c(bytes)).toBe(new Crc32c().update(bytes).digest());
      }),
    );
  });
});

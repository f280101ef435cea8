import { Crc32c } from '@aws-crypto/crc32c';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { crc32c } from './crc32c.ts';

describe('crc32c', () => {
  test('of "123456789" is e3069283', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  test('agrees with another implementation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(crc32c(bytes)).toBe(new Crc32c().update(bytes).digest());
      }),
    );
  });
});

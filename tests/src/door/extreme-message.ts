/** Messages of any type whose fields have the values that code forgets: by the descriptor, so that new fields are tried as well. */
import { create, ScalarType, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import type { SeededRandom } from '@fleetflame/store/testing';

const TEXTS = [
  '',
  'cpu',
  'service_name',
  '__proto__',
  'constructor',
  '\0',
  'a\0b',
  '\u001b[2J',
  '\u202e',
  '../../etc/passwd',
  '{service_name="x"}',
  '{a=~"(("}',
  '{a=~".*"}',
  '0123456789abcdef',
  'x'.repeat(600),
  'x'.repeat(20_000),
  '😀'.repeat(300),
] as const;
const NOW = BigInt(Date.now());
const LONGS = [
  0n,
  1n,
  1000n,
  -1n,
  NOW,
  NOW - 3_600_000n,
  NOW - 20n * 86_400_000n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
] as const;
const INTS = [0, 1, 7, 1000, 100_001, 2 ** 31 - 1] as const;
const MAX_DEPTH = 3;

export class ExtremeMessages {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  message(type: DescMessage, depth = 0): Message {
    const message = reflect(type, create(type));
    for (const field of type.fields) {
      if (this.#random.below(4) === 0) continue;
      this.#fill(message, field, depth);
    }
    return message.message;
  }

  #fill(message: ReturnType<typeof reflect>, field: DescField, depth: number): void {
    if (field.fieldKind === 'scalar') message.set(field, this.#scalar(field.scalar));
    else if (field.fieldKind === 'enum') message.set(field, this.#pick([0, 1, 2, 99]));
    else if (field.fieldKind === 'message' && depth < MAX_DEPTH) {
      message.set(field, reflect(field.message, this.message(field.message, depth + 1)));
    } else if (field.fieldKind === 'list') {
      for (let i = this.#pick([0, 1, 2, 9, 70, 600]); i > 0; i--) {
        if (field.listKind === 'scalar') message.get(field).add(this.#scalar(field.scalar));
        else if (field.listKind === 'message' && depth < MAX_DEPTH) {
          message.get(field).add(reflect(field.message, this.message(field.message, depth + 1)));
        }
      }
    } else if (field.fieldKind === 'map' && field.mapKind === 'scalar') {
      for (let i = this.#pick([0, 1, 3, 60]); i > 0; i--) {
        message.get(field).set(this.#pick(TEXTS), this.#scalar(field.scalar));
      }
    }
  }

  #scalar(type: ScalarType): string | number | bigint | boolean | Uint8Array {
    switch (type) {
      case ScalarType.STRING:
        return this.#pick(TEXTS);
      case ScalarType.BYTES:
        return Uint8Array.from({ length: this.#random.below(100) }, () => this.#random.below(256));
      case ScalarType.BOOL:
        return this.#random.below(2) === 0;
      case ScalarType.INT64:
      case ScalarType.SINT64:
        return this.#pick(LONGS);
      case ScalarType.UINT64:
        return this.#pick([0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n]);
      default:
        return this.#pick(INTS);
    }
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[this.#random.below(from.length)];
    if (one === undefined) throw new RangeError('there is nothing to pick from');
    return one;
  }
}

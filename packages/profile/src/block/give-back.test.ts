import { expect, test } from 'vitest';
import { blockFromText, describeBlock } from '../testing/index.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock } from './encode-block.ts';
import { giveBack, giveBackBlock } from './give-back.ts';

const MANY = Array.from({ length: 400 }, (_, i) => `main;work${i % 20};step${i} ${i + 1}`).join('\n');

test('an array that has its memory to itself is empty afterwards, as often as it is given back', () => {
  const array = new Float64Array(1000);
  giveBack(array);
  giveBack(array);
  expect([array.length, array.buffer.detached]).toEqual([0, true]);
});

test('what shares its memory with more than itself stays: a piece of an array, and of the pool of Node', () => {
  const whole = new Uint8Array(10_000).fill(7);
  giveBack(whole.subarray(0, 5000));
  expect(whole.every((byte) => byte === 7)).toBe(true);
  const pooled = Buffer.from('pooled'.repeat(300));
  giveBack(pooled);
  expect(pooled.toString()).toBe('pooled'.repeat(300));
});

test('bytes that were made of a block outlive it', () => {
  const block = blockFromText(MANY);
  const described = describeBlock(block);
  const bytes = encodeBlock(block);
  giveBackBlock(block);
  expect(block.samples.value).toHaveLength(0);
  expect(describeBlock(decodeBlock(bytes))).toEqual(described);
});

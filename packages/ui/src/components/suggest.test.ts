import { completeSelector, parseSelector } from '@fleetflame/profile';
import { describe, expect, test } from 'vitest';
import { applySuggestion, suggest } from './suggest.ts';

const NAMES = ['host_name', 'service_name', 'thread_name'];
const VALUES = [
  { value: 'checkout', note: '1.2 cores' },
  { value: 'gateway', note: '0.6 cores' },
];

/** `|` is the cursor. Returns the suggestions, and the text after the first was taken. */
function complete(marked: string) {
  const cursor = marked.indexOf('|');
  const text = marked.replace('|', '');
  const slot = completeSelector(text, cursor);
  const options = suggest(slot, NAMES, VALUES);
  const [first] = options;
  return {
    options: options.map((option) => option.text),
    next: first === undefined ? undefined : applySuggestion(text, slot, first).text,
  };
}

describe('completion', () => {
  test('an empty selector offers label names', () => {
    expect(complete('|')).toEqual({ options: NAMES, next: '{host_name' });
  });

  test('what begins with the typed text comes before what contains it', () => {
    expect(complete('{h|').options).toEqual(['host_name', 'thread_name']);
  });

  test('after a name come operators, after an operator values', () => {
    expect(complete('{service_name|}').options).toContain('service_name');
    expect(complete('{service_name |').options).toEqual(['=', '!=', '=~', '!~']);
    expect(complete('{service_name=|')).toEqual({
      options: ['checkout', 'gateway'],
      next: '{service_name="checkout"}',
    });
  });

  test('a chosen value leaves a selector that can be used', () => {
    for (const marked of ['{service_name="ga|', '{service_name="|"}', '{host_name="a",service_name=|']) {
      const { next } = complete(marked);
      expect(() => parseSelector(next ?? '{')).not.toThrow();
    }
  });
});

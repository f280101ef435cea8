import { scaled } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsx, jsxs } from './jsx-runtime.ts';
import { visibleProps } from './visible-props.ts';

const Component = (): undefined => undefined;
const STEERS =
  // oxlint-disable-next-line no-control-regex -- they are what this is about
  /[\0-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2066-\u2069]/;

function holds(value: string): void {
  const { children, title } = visibleProps('span', { children: value, title: value });
  for (const one of [String(children), String(title).replaceAll(/[\n\t]/g, '')])
    expect(one).not.toMatch(STEERS);
}

it('shows what text and titles of an element would hide, and keeps what is asked for', () => {
  const evil = 'a\u202Eb\u0007\n';
  const shown = 'a\\u202eb\\x07\\x0a';
  const { props } = jsxs('button', { title: evil, value: evil, children: [evil, ' ', 5, evil] }) as {
    props: Record<string, unknown>;
  };
  expect(props).toMatchObject({ title: 'a\\u202eb\\x07\n', value: evil, children: [shown, ' ', 5, shown] });
  // A component gets its props as they are; its own elements show them.
  expect(jsx(Component, { name: evil, children: evil })).toMatchObject({
    props: { name: evil, children: evil },
  });
});

it('leaves props alone that have nothing to show', () => {
  const props = { title: 'Größe', children: ['main', 3, undefined] };
  expect(visibleProps('span', props)).toBe(props);
});

it('whatever the text, no element has a character that steers', () => {
  const text = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
    .map((units) => String.fromCharCode(...units));
  expect(() => fc.assert(fc.property(text, holds), { numRuns: scaled(500) })).not.toThrow();
});

import { expect, test } from 'vitest';
import { codeSpan } from './diff-markdown.ts';

test.each([
  ['main', '`main`'],
  ['operator||', '`operator\\|\\|`'],
  ['a`b', '`` a`b ``'],
  ['``', '``` `` ```'],
  ['', '` `'],
  ['  ', '`    `'],
  ['a\\|b', '`a\\\\x7cb`'],
  ['line\nbreak', '`line\\x0abreak`'],
  ['<b>@team #1', '`<b>@team #1`'],
])('%j is the code span %s', (text, expected) => {
  expect(codeSpan(text)).toBe(expected);
});

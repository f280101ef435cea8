import { expect, test } from 'vitest';
import { binaryFamily, comparisonName } from './comparison-name.ts';

test.each([
  // Rust
  ['core::fmt::write::h0123456789abcdef', 'core::fmt::write'],
  ['core::fmt::write::h0123456789abcdef.llvm.123456', 'core::fmt::write'],
  ['app::hello', 'app::hello'],
  ['app::h0123456789abcde', 'app::h0123456789abcde'],
  // GCC, LLVM
  ['parse.constprop.0', 'parse'],
  ['parse.isra.0', 'parse'],
  ['parse.part.12', 'parse'],
  ['parse.cold', 'parse'],
  ['parse.cold.3', 'parse'],
  ['parse.llvm.15304050', 'parse'],
  ['parse.part.0.isra.1.cold', 'parse'],
  ['parse(int) [clone .isra.0] [clone .cold]', 'parse(int)'],
  ['party.party', 'party.party'],
  ['.cold', '.cold'],
  // Go
  ['main.Map[go.shape.string,go.shape.struct { a [2]int }].func1', 'main.Map[...].func1'],
  ['main.Map[...].func1', 'main.Map[...].func1'],
  ['main.run.func1.2', 'main.run.func1.2'],
  ['main.Map[go.shape.str', 'main.Map[go.shape.str'],
  // Java
  ['shop.Cart$$Lambda$14/0x0000000800c03000.apply', 'shop.Cart$$Lambda.apply'],
  ['shop.Cart$$Lambda/0x00007f1234567890.apply', 'shop.Cart$$Lambda.apply'],
  ['shop.Cart$$Lambda$14/1234567.apply', 'shop.Cart$$Lambda.apply'],
  ['java.lang.invoke.LambdaForm$MH.0x0000000800c03000.invoke', 'java.lang.invoke.LambdaForm$MH.invoke'],
  ['java.lang.invoke.LambdaForm$DMH/0x0000000800c03000.invoke', 'java.lang.invoke.LambdaForm$DMH.invoke'],
  [
    'jdk.internal.reflect.GeneratedMethodAccessor17.invoke',
    'jdk.internal.reflect.GeneratedMethodAccessor.invoke',
  ],
  ['shop.Cart$Item.price', 'shop.Cart$Item.price'],
  // V8
  ['JS:*parse /srv/app.js:12:5', 'JS:*parse /srv/app.js'],
  ['LazyCompile:~parse file:///srv/m.mjs:2', 'LazyCompile:~parse file:///srv/m.mjs'],
  ['std::chrono:12:5', 'std::chrono:12:5'],
])('%s is compared as %s', (name, expected) => {
  expect(comparisonName(name)).toBe(expected);
});

test.each([
  ['libc.so.6', 'libc.so'],
  ['libc-2.36.so', 'libc.so'],
  ['libstdc++.so.6.0.30', 'libstdc++.so'],
  ['server-1.2.3', 'server'],
  ['api_v412', 'api'],
  ['python3.11', 'python'],
  ['md5', 'md5'],
  ['x264', 'x264'],
  ['[kernel]', '[kernel]'],
  ['', ''],
  ['3.11', '3.11'],
])('binary %s is of the family %s', (binary, expected) => {
  expect(binaryFamily(binary)).toBe(expected);
});

test('a comparison name is its own', () => {
  for (const name of ['a.part.0.isra.1', 'x::h0123456789abcdef', 'F[go.shape.int]', 'A$$Lambda$1/0x2f.run'])
    expect(comparisonName(comparisonName(name))).toBe(comparisonName(name));
});

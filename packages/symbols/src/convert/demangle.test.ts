import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { demangle } from './demangle.ts';

const NAMES: readonly (readonly [what: string, mangled: string, shown: string | undefined])[] = [
  ['C++ function', '_Z3foov', 'foo()'],
  ['C++ nested name', '_ZN4shop4cart5Order8describeEi', 'shop::cart::Order::describe(int)'],
  ['C++ constructor', '_ZN4shop5OrderC1Ei', 'shop::Order::Order(int)'],
  ['C++ template', '_ZN4shop6BasketIiE3addERKi', 'shop::Basket<int>::add(int const&)'],
  ['C++ operator', '_ZNK4shop5OrderltERKS0_', 'shop::Order::operator<(shop::Order const&) const'],
  ['C++ anonymous namespace', '_ZN12_GLOBAL__N_16hiddenEv', '(anonymous namespace)::hidden()'],
  ['C++ lambda', '_ZZ4mainENKUliE_clEi', 'main::{lambda(int)#1}::operator()(int) const'],
  ['C++ clone', '_ZL3bari.constprop.0', 'bar(int) [clone .constprop.0]'],
  ['C++ cold part', '_Z3foov.cold', 'foo() [clone .cold]'],
  ['Rust legacy', '_ZN4core3fmt5write17h01a4bd3fcdef7890E', 'core::fmt::write'],
  ['Rust legacy closure', '_ZN3foo28_$u7b$$u7b$closure$u7d$$u7d$17h0b3c5f9a12de4870E', 'foo::{{closure}}'],
  [
    'Rust legacy impl',
    '_ZN70_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0b3c5f9a12de4870E',
    '<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop',
  ],
  [
    'Rust legacy from LLVM',
    '_ZN3std2io5Write9write_fmt17h0123456789abcdefE.llvm.123456',
    'std::io::Write::write_fmt',
  ],
  ['Rust v0', '_RNvCs1234_7mycrate3foo', 'mycrate::foo'],
  [
    'Rust v0 generic',
    '_RINvNtNtCs6xxl1lAjzDf_1a4shop4cart5applyNCNvB6_4main0EB6_',
    'a::shop::cart::apply::<a::main::{closure#0}>',
  ],
  [
    'Rust v0 impl',
    '_RNvXs_NtNtCs6xxl1lAjzDf_1a4shop4cartINtB4_6BasketNtNtCslNYArtu3iFV_5alloc6string6StringENtB4_5Price5price',
    '<a::shop::cart::Basket<alloc::string::String> as a::shop::cart::Price>::price',
  ],
  ['C function', 'malloc', undefined],
  ['Go function', 'main.(*stack[...]).push', undefined],
  ['what only looks mangled', '_Zbroken', undefined],
  ['an empty name', '', undefined],
  ['a name with a line break', '_Z3foov\n_Z3barv', undefined],
];

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-demangle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A stand-in for a c++filt that misbehaves: a shell script. */
function script(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

describe('demangle', () => {
  it.each(NAMES)('shows a name of kind: %s', async (_what, mangled, shown) => {
    const result = await demangle([mangled]);
    expect(result.names).toEqual([shown]);
    expect(result.failed).toBe(0);
  });

  it('keeps the order over many batches', async () => {
    const mangled = Array.from({ length: 3000 }, (_, index) =>
      index % 3 === 0 ? `plain_${index}` : `_Z5f${1000 + index}v`,
    );
    const result = await demangle(mangled, { limits: { batchBytes: 1000 } });
    expect(result.names).toEqual(
      mangled.map((name) => (name.startsWith('_Z') ? `${name.slice(3, -1)}()` : undefined)),
    );
    expect(result.demangled).toBe(2000);
  });

  it('leaves names mangled and says so when c++filt is missing', async () => {
    const result = await demangle(['_Z3foov', 'main', '_Z3barv'], { command: join(folder, 'not-there') });
    expect(result.names).toEqual([undefined, undefined, undefined]);
    expect(result.failed).toBe(2);
    expect(result.problem).toMatch(/not installed \(package binutils\)/);
  });

  it('finds the one name that crashes it, and shows the others', async () => {
    const command = script(
      'crashing',
      'input=$(cat); case "$input" in *crash*) kill -SEGV $$;; esac; echo "$input" | c++filt -i',
    );
    const names = ['_Z1av', '_Z1bv', '_Z5crashv', '_Z1cv', '_Z1dv'];
    const result = await demangle(names, { command });
    expect(result.names).toEqual(['a()', 'b()', undefined, 'c()', 'd()']);
    expect(result.failed).toBe(1);
    expect(result.problem).toMatch(/failed/);
  });

  it('stops starting processes when all of them fail', async () => {
    const command = script('failing', 'exit 1');
    const result = await demangle(
      Array.from({ length: 1000 }, (_, index) => `_Z1av.${index}`),
      {
        command,
        limits: { processes: 20 },
      },
    );
    expect(result.failed).toBe(1000);
  });

  it('gives up on a process that hangs', async () => {
    const command = script('hanging', 'exec sleep 600');
    const result = await demangle(['_Z1av'], { command, limits: { batchMs: 50 } });
    expect(result.failed).toBe(1);
  });

  it('gives up on endless output, and on output that does not fit the input', async () => {
    const endless = await demangle(['_Z1av'], {
      command: script('endless', 'exec yes'),
      limits: { outputBytes: 100_000 },
    });
    expect(endless.failed).toBe(1);
    const short = await demangle(['_Z1av', '_Z1bv'], { command: script('short', 'echo one') });
    expect(short.names).toEqual(['one', 'one']);
    const none = await demangle(['_Z1av'], { command: script('silent', 'cat > /dev/null') });
    expect(none.failed).toBe(1);
  });

  it('does not ask for names of absurd length', async () => {
    const long = `_Z20000${'a'.repeat(20_000)}v`;
    const result = await demangle([long, '_Z1av']);
    expect(result.names).toEqual([undefined, 'a()']);
  });
});

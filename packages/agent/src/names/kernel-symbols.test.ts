import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { KernelNames, REREAD_AFTER_MS } from './kernel-names.ts';
import { KernelSymbols, kernelOffset } from './kernel-symbols.ts';

const KALLSYMS = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T srso_alias_untrain_ret
ffffffff81000000 t _stext
ffffffff81000010 t do_one\t
ffffffff81000080 T do_two
ffffffff81000080 t __do_two_alias
ffffffff81000100 W weak_three
ffffffff82000000 D some_data
ffffffffc0201000 t ext4_read\t[ext4]
ffffffffc0101000 t bpf_prog_6deef7357e7b4530_sample\t[bpf]
not a line
ffffffff81zzz T broken
`;

function nameAt(symbols: KernelSymbols, address: bigint): string | undefined {
  const index = symbols.find(kernelOffset(Number(address & 0xffff_ffffn), Number(address >> 32n)));
  return index < 0 ? undefined : symbols.name(index);
}

test('addresses get the name of the function that covers them', () => {
  const symbols = KernelSymbols.parse(Buffer.from(KALLSYMS));
  expect(symbols.length).toBe(6);
  expect(nameAt(symbols, 0xffffffff81000000n)).toBe('srso_alias_untrain_ret');
  expect(nameAt(symbols, 0xffffffff8100007fn)).toBe('do_one');
  expect(nameAt(symbols, 0xffffffff81000080n)).toBe('do_two');
  expect(nameAt(symbols, 0xffffffff81000123n)).toBe('weak_three');
});

test('modules and BPF programs have names, in whatever order they stand', () => {
  const symbols = KernelSymbols.parse(Buffer.from(KALLSYMS));
  expect(nameAt(symbols, 0xffffffffc0201004n)).toBe('ext4_read');
  expect(nameAt(symbols, 0xffffffffc0101040n)).toBe('bpf_prog_6deef7357e7b4530_sample');
});

test('what no function covers has no name', () => {
  const symbols = KernelSymbols.parse(Buffer.from(KALLSYMS));
  expect(nameAt(symbols, 0xffffffff80ffffffn)).toBeUndefined();
  expect(nameAt(symbols, 0xffffffff90000000n)).toBeUndefined();
  expect(nameAt(symbols, 0x00007f0000000000n)).toBeUndefined();
});

test('hidden addresses are told from an empty file', () => {
  const hidden = KernelSymbols.parse(Buffer.from('0000000000000000 T _text\n0000000000000000 t do_one\n'));
  expect([hidden.hidden, hidden.length]).toEqual([true, 0]);
  expect(KernelSymbols.parse(Buffer.from('')).hidden).toBe(false);
});

test("this host's own symbols are each found by the same name again", () => {
  const text = readFileSync('/proc/kallsyms');
  const symbols = KernelSymbols.parse(text);
  const byAddress = new Map<bigint, Set<string>>();
  for (const line of text.toString('latin1').split('\n')) {
    const [address = '', type = '', name = ''] = line.split(/\s/);
    // Without the right to see addresses they are all zero, and there are no symbols.
    if (!/^[tTwW]$/.test(type) || /^0+$/.test(address)) continue;
    const key = BigInt(`0x${address}`);
    byAddress.set(key, (byAddress.get(key) ?? new Set()).add(name));
  }
  expect(symbols.length).toBe(byAddress.size);
  let wrong = 0;
  for (const [address, names] of byAddress) if (!names.has(nameAt(symbols, address) ?? '')) wrong++;
  expect(wrong).toBe(0);
});

test('symbols are read again, after a while, when an address has no name', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetflame-kallsyms-'));
  const path = join(directory, 'kallsyms');
  writeFileSync(path, KALLSYMS);
  const names = new KernelNames(pino({ enabled: false }), path);
  await names.load(1000);
  const find = (low: number): string | undefined => names.name(low, 0xffff_ffff, false);
  expect(find(0x8100_0011)).toBe('do_one');
  expect(names.name(0x8100_0010, 0xffff_ffff, true)).toBe('srso_alias_untrain_ret');
  names.maintain(1000 + REREAD_AFTER_MS);
  await names.settled();
  expect(names.readings).toBe(1);

  expect(find(0xd000_0004)).toBeUndefined();
  writeFileSync(path, `${KALLSYMS}ffffffffd0000000 t late_module\t[late]\n`);
  names.maintain(2000);
  await names.settled();
  expect(find(0xd000_0004)).toBeUndefined();
  names.maintain(1000 + REREAD_AFTER_MS);
  await names.settled();
  expect(find(0xd000_0004)).toBe('late_module');

  // What has no name even then does not make it read for ever.
  expect(find(0xe000_0000)).toBeUndefined();
  for (const at of [3, 4, 5]) {
    names.maintain(at * REREAD_AFTER_MS);
    await names.settled();
    expect(find(0xe000_0000)).toBeUndefined();
  }
  expect(names.readings).toBe(3);
  rmSync(directory, { recursive: true });
});

test('without kallsyms there is a reason', async () => {
  const names = new KernelNames(pino({ enabled: false }), '/nonexistent/kallsyms');
  await names.load(0);
  expect(names.reason).toContain('/nonexistent/kallsyms cannot be read');
});

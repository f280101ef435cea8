/** The unwind tables of Go programs say of every instruction what Go's own function table says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { buildTool, ourRows } from '@fleetflame/bpf/unwind/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goDepths } from './testing/go-depths.ts';
import { buildGoPrograms, shippedGoPrograms } from './testing/go-programs.ts';

/** Functions that begin or change stacks are described by their names; decision 9. */
const BY_NAME = /^(?:end|rbp\+16 rbp=c-16 rbx=s ra=c-8|signal)$/;
const OF_A_DEPTH = /^rsp\+(\d+) rbp=\S+ rbx=s ra=c-8/;

let directory = '';
let tool = '';
let built = new Map<string, string>();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-go-`);
  tool = buildTool('dump-rows', directory);
  built = buildGoPrograms(directory);
}, 600_000);

afterAll(() => rmSync(directory, { recursive: true }));

async function compare(path: string): Promise<{ same: number; otherwise: number; wrong: string[] }> {
  const table = goDepths(path);
  if (table === undefined) throw new Error(`${path} has no function table of Go`);
  expect(table.textStart).toBeGreaterThan(0);
  const { rows, summary } = await ourRows(tool, path);
  expect(summary.result).toBe('none');
  expect(summary['damagedSections']).toBe(0);
  expect(summary['outsideCode']).toBe(0);
  let [same, otherwise] = [0, 0];
  const wrong: string[] = [];
  for (const { name, start, end, depth } of table.stretches) {
    for (const address of [start, Math.floor((start + end) / 2), end - 1]) {
      const text = rows.at(address) ?? 'nothing';
      const offset = OF_A_DEPTH.exec(text)?.[1];
      if (offset !== undefined && Number(offset) === depth + 8) same++;
      else if (BY_NAME.test(text)) otherwise++;
      // syscall.rawVforkSyscall takes its return address off the stack: there is nothing to read.
      else if (depth < 0 && text.startsWith('unsupported:')) otherwise++;
      else wrong.push(`${name} 0x${address.toString(16)} depth ${depth}: ${text}`);
    }
  }
  return { same, otherwise, wrong };
}

describe('rows equal what the function table says, at every stretch', () => {
  it('of programs that the Go on PATH makes, in every way of linking', async () => {
    for (const [name, path] of built) {
      const { same, otherwise, wrong } = await compare(path);
      expect(wrong, name).toEqual([]);
      expect(same, name).toBeGreaterThan(10_000);
      expect(otherwise, name).toBeLessThan(300);
    }
  }, 240_000);

  // On a platform for which they are not shipped they are counted as skipped, not as passed.
  it.for(shippedGoPrograms())('of %s, which was made by Go 1.26 or later', async ([, path], { skip }) => {
    const file = path ?? skip();
    const { same, otherwise, wrong } = await compare(file);
    expect(wrong).toEqual([]);
    expect(same).toBeGreaterThan(100_000);
    expect(otherwise).toBeLessThan(300);
  });
});

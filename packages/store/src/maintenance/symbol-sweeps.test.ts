/** Symbol tables that were replaced go steadily, or a few at a time; many at once wait for somebody to say so. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { MemoryCatalog } from '../testing/memory-catalog.ts';
import { Governor } from './governor.ts';
import { JobControls } from './job-controls.ts';
import { SymbolSweeps, type SymbolsDue } from './symbol-sweeps.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 22);

function make() {
  const catalog = new MemoryCatalog();
  const controls = new JobControls(catalog.notes);
  const doubt: { says: string | undefined } = { says: undefined };
  const governor = new Governor({ catalog, controls, log: pino({ level: 'silent' }) });
  const otherClocks = () => ({ doubt: doubt.says, isConfirmed: false });
  return { controls, doubt, sweeps: new SymbolSweeps({ catalog, controls, governor, otherClocks }) };
}

const due = (objects: number, dueMs: number): SymbolsDue => ({
  objects,
  of: 100,
  fromMs: START - DAY,
  toMs: START - DAY,
  dueMs,
});

test('what became due since the last sweep goes, however much it is; the first sweep only looks', async () => {
  const { sweeps, controls } = make();
  expect(await sweeps.allows(due(90, START), START)).toBe(false);
  for (let at = START + 3 * HOUR; at < START + DAY; at += 3 * HOUR)
    expect(await sweeps.allows(due(90, at), at)).toBe(true);
  expect(await controls.list()).toEqual([]);
});

test('a clock that is ten days ahead, or ten days without a sweep: a few go, many are held until somebody says so', async () => {
  const { sweeps, controls } = make();
  await sweeps.allows(due(0, 0), START);
  const late = START + 10 * DAY;
  expect(await sweeps.allows(due(6, late - DAY), late)).toBe(false);
  const [held] = await controls.list();
  expect(held).toMatchObject({ kind: 'symbols', hold: { blocks: 6, fromMs: START - DAY } });
  expect(held?.hold?.reason).toMatch(/6 % of the symbol objects .*2026-12-02.*2026-11-22/);
  expect(await sweeps.allows(due(6, late - DAY), late)).toBe(false);
  await controls.resume('symbols', true);
  expect(await sweeps.allows(due(6, late - DAY), late)).toBe(true);
  expect(await controls.list()).toEqual([]);
  const later = late + 10 * DAY;
  expect(await sweeps.allows(due(5, later - DAY), later), 'a few').toBe(true);
});

test('clocks that disagree, and a pause, keep everything', async () => {
  const { sweeps, controls, doubt } = make();
  await sweeps.allows(due(0, 0), START);
  doubt.says = "object storage's clock is 3 h ahead";
  expect(await sweeps.allows(due(1, START), START + HOUR)).toBe(false);
  expect((await controls.hold('symbols'))?.reason).toMatch(/3 h ahead/);
  doubt.says = undefined;
  await controls.pause('symbols', 'a look', START);
  expect(await sweeps.allows(due(1, START), START + HOUR)).toBe(false);
  await controls.resume('symbols', false);
  expect(await sweeps.allows(due(1, START), START + HOUR)).toBe(true);
  expect(await controls.list()).toEqual([]);
});

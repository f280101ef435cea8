/**
 * One measurement in a process of its own, printed as JSON. `cold` asks one question of a service, then of
 * two others whose caches are empty too, when the code has been compiled; `live` asks all, tick by tick.
 */
import { parseArgs } from 'node:util';
import { Asker, QUESTIONS, type Measured, type Question } from './ask.ts';
import { DayStore } from './fill.ts';

export interface LiveResult {
  readonly question: Question;
  /** The first is without caches. */
  readonly measured: readonly Measured[];
}

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'cold' },
    data: { type: 'string', default: '' },
    captured: { type: 'string', default: '' },
    now: { type: 'string', default: '0' },
    range: { type: 'string', default: '0' },
    question: { type: 'string', default: 'flame' },
    ticks: { type: 'string', default: '30' },
    kept: { type: 'string', default: '0.875' },
    'jit-hours': { type: 'string', default: '1' },
  },
});
const rangeMs = Number(values.range);
const wanted = QUESTIONS.find((question) => question === values.question) ?? 'flame';

const kind = { kept: Number(values.kept), jitHours: Number(values['jit-hours']) };
const day = await DayStore.open(values.data, values.captured, Number(values.now), kind);
const results = values.mode === 'live' ? await live() : [{ question: wanted, measured: await cold() }];
console.log(JSON.stringify(results));
await day.store.close();

async function cold(): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let i = 0; i < 3; i++) {
    const asker = await Asker.start(day.store);
    measured.push(await ask(asker, wanted));
    await asker.close();
  }
  return measured;
}

async function live(): Promise<LiveResult[]> {
  const measured = QUESTIONS.map((): Measured[] => []);
  const asker = await Asker.start(day.store);
  for (let tick = 0; tick <= Number(values.ticks); tick++) {
    if (tick > 0) await day.tick();
    for (const [i, question] of QUESTIONS.entries()) measured[i]!.push(await ask(asker, question));
  }
  await asker.close();
  return QUESTIONS.map((question, i) => ({ question, measured: measured[i]! }));
}

function ask(asker: Asker, question: Question): Promise<Measured> {
  return asker.ask(question, day.nowMs - rangeMs, day.nowMs);
}

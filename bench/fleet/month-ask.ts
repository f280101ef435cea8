/** Asks one question of a fresh process, twice, and prints what it took as JSON. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { liveRangeStartMs } from '@fleetflame/profile';
import { Asker, QUESTIONS, type Measured } from '../day/ask.ts';
import { MonthStore } from './month-store.ts';

export interface Asked {
  /** Nothing is cached, no code compiled. */
  readonly cold: Measured;
  /** A fresh service in the same process: code is compiled. */
  readonly compiled: Measured;
  /** The same question again. */
  readonly warm: Measured;
  readonly peakBytes: number;
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    now: { type: 'string', default: '0' },
    range: { type: 'string', default: '0' },
    question: { type: 'string', default: 'flame' },
    selector: { type: 'string', default: '' },
  },
});
const nowMs = Number(values.now);
const question = QUESTIONS.find((name) => name === values.question) ?? 'flame';
const month = await MonthStore.open(values.data, nowMs);
const ask = async (asker: Asker): Promise<Measured> =>
  await asker.ask(question, liveRangeStartMs(nowMs, Number(values.range)), nowMs, values.selector);
const first = await Asker.start(month.store);
const cold = await ask(first);
await first.close();
const second = await Asker.start(month.store);
const compiled = await ask(second);
const warm = await ask(second);
await second.close();
const peakBytes =
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
const asked: Asked = { cold, compiled, warm, peakBytes };
console.log(JSON.stringify(asked));
await month.store.close();

/** A day of one host: what its queries cost, cold and live. See README.md. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { QUESTIONS, type Measured } from './ask.ts';
import { capture } from './capture.ts';
import type { LiveResult } from './child.ts';
import { fillDay } from './fill.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const RANGES: readonly (readonly [string, number])[] = [
  ['24 h', DAY_MS],
  ['6 h', 6 * HOUR_MS],
  ['1 h', HOUR_MS],
  ['15 min', 15 * MINUTE_MS],
];

const { values } = parseArgs({
  options: {
    /** Where captured batches are, or will be kept; default: captured anew. */
    captured: { type: 'string' },
    seconds: { type: 'string', default: '300' },
    /** Where the day is, or will be kept; default: written anew. */
    data: { type: 'string' },
    /** Time of day (UTC) at which the day ends. */
    at: { type: 'string', default: '14:37:25' },
    repeat: { type: 'string', default: '3' },
    ticks: { type: 'string', default: '30' },
    /** Share of the captured rows that are kept: how busy the host is. */
    kept: { type: 'string', default: '0.875' },
    /** How long JIT code stays where it is. */
    'jit-hours': { type: 'string', default: '1' },
  },
});

const scratch = await mkdtemp(join(tmpdir(), 'fleetflame-bench-'));
try {
  const captured = values.captured ?? join(scratch, 'captured');
  if (!(await exists(captured))) await capture(captured, Number(values.seconds));
  const data = values.data ?? join(scratch, 'day');
  const nowMs = await prepare(data, captured);
  await describe(data);
  console.log(
    line([
      'range',
      'question',
      'blocks',
      'rows',
      'read',
      'cold ms',
      'CPU',
      'compiled CPU',
      'live ms',
      'CPU',
      'CPU max',
      'items',
    ]),
  );
  for (const [name, rangeMs] of RANGES) {
    const copy = join(scratch, 'copy');
    await cp(data, copy, { recursive: true });
    const live = await child('live', copy, captured, nowMs, rangeMs, 'flame');
    await rm(copy, { recursive: true });
    for (const question of QUESTIONS) {
      const cold: Measured[] = [];
      const compiled: Measured[] = [];
      for (let i = 0; i < Number(values.repeat); i++) {
        for (const { measured } of await child('cold', data, captured, nowMs, rangeMs, question)) {
          cold.push(...measured.slice(0, 1));
          compiled.push(...measured.slice(-1));
        }
      }
      const refreshed = live.find((result) => result.question === question)?.measured.slice(1) ?? [];
      const [first] = cold;
      console.log(
        line([
          name,
          question,
          String(first?.blocks),
          (first?.rows ?? 0).toLocaleString('en'),
          `${((first?.bytesRead ?? 0) / 1e6).toFixed(1)} MB`,
          middle(cold, 'wallMs'),
          middle(cold, 'cpuMs'),
          middle(compiled, 'cpuMs'),
          middle(refreshed, 'wallMs'),
          middle(refreshed, 'cpuMs'),
          Math.max(...refreshed.map(({ cpuMs }) => cpuMs)).toFixed(0),
          String(first?.items),
        ]),
      );
    }
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Writes the day when it is not there yet; its end, Unix ms. */
async function prepare(data: string, captured: string): Promise<number> {
  const endFile = `${data}.end`;
  if (await exists(endFile)) return Number(await readFile(endFile, 'utf8'));
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const [hour = 0, minute = 0, second = 0] = values.at.split(':').map(Number);
  const nowMs = today + hour * HOUR_MS + minute * MINUTE_MS + second * 1000;
  // From the start of a quarter day on: what lies before the range shares a block with it.
  const firstMs = Math.floor((nowMs - DAY_MS) / (6 * HOUR_MS)) * 6 * HOUR_MS;
  const metrics = await fillDay(data, captured, nowMs, (nowMs - firstMs) / HOUR_MS, {
    kept: Number(values.kept),
    jitHours: Number(values['jit-hours']),
  });
  const wanted = /^fleetflame_store_(merged_bytes|merge_seconds_(sum|count)|merged_blocks)/;
  console.log(
    metrics
      .split('\n')
      .filter((text) => wanted.test(text))
      .join('\n'),
  );
  await writeFile(endFile, String(nowMs));
  return nowMs;
}

async function describe(data: string): Promise<void> {
  const store = await Store.open({
    dataDir: data,
    retentionMs: 365 * DAY_MS,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  });
  for (const { level, blocks, bytes, rows } of (await store.status()).levels) {
    console.log(
      `level ${level}: ${blocks} blocks, ${(bytes / 1e6).toFixed(2)} MB, ${rows.toLocaleString('en')} rows`,
    );
  }
  await store.close();
}

async function child(
  mode: 'cold' | 'live',
  data: string,
  captured: string,
  nowMs: number,
  rangeMs: number,
  question: string,
): Promise<readonly LiveResult[]> {
  const script = fileURLToPath(new URL('child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    `--mode=${mode}`,
    `--data=${data}`,
    `--captured=${captured}`,
    `--now=${nowMs}`,
    `--range=${rangeMs}`,
    `--question=${question}`,
    `--ticks=${values.ticks}`,
    `--kept=${values.kept}`,
    `--jit-hours=${values['jit-hours']}`,
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by child.ts
  return JSON.parse(stdout) as readonly LiveResult[];
}

function middle(all: readonly Measured[], field: 'wallMs' | 'cpuMs'): string {
  const sorted = all.map((measured) => measured[field]).toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1] ?? 0).toFixed(0);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

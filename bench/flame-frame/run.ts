/** Milliseconds a frame of the flame graph takes while panning and zooming: see README.md. */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

interface FrameTimes {
  readonly nodes: number;
  readonly firstMs: number;
  readonly boxes: number;
  readonly framesMs: readonly number[];
  readonly scriptMs: readonly number[];
}

const SIZES = [10_000, 100_000, 1_000_000];
const ROUNDS = 3;
const CHROMIUM = process.env['FLEETFLAME_CHROMIUM'] ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const serve = fileURLToPath(new URL('../../packages/ui/dev/frame-bench/serve.ts', import.meta.url));
const server = spawn(process.execPath, [serve], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const address = await firstLine(server.stdout);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(address);
    console.log(
      `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores; Chromium ${browser.version()}, no GPU`,
    );
    console.log('| nodes | boxes drawn | first picture | script median | frame median | frame p95 |');
    console.log('| ----: | ----------: | ------------: | ------------: | -----------: | --------: |');
    for (const nodes of SIZES) {
      const rounds: FrameTimes[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        // The page defines measureFrames; types of the browser are not in scope here.
        rounds.push(await page.evaluate<FrameTimes>(`measureFrames(${nodes})`));
      }
      const frames = rounds.flatMap((round) => round.framesMs);
      const script = rounds.flatMap((round) => round.scriptMs);
      const first = rounds.map((round) => round.firstMs);
      const cells = [
        nodes.toLocaleString('en-US'),
        (rounds[0]?.boxes ?? 0).toLocaleString('en-US'),
        ...[quantile(first, 0.5), quantile(script, 0.5), quantile(frames, 0.5), quantile(frames, 0.95)].map(
          (ms) => `${ms.toFixed(1)} ms`,
        ),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  } finally {
    await browser.close();
  }
} finally {
  server.kill();
}

async function firstLine(stream: Readable): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('The page could not be built.');
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

/** The long task (`./fleetflame test long`) runs the files that scale (packages/testing), without limits of time. */
const LONG = Number(process.env['FLEETFLAME_LONG'] ?? 0) > 0;
const LONG_MS = 86_400_000;

const ignored = ['**/node_modules/**', '**/dist/**', '**/build/**', ...(LONG ? [] : ['**/*.long.test.ts'])];

function included(...patterns: string[]): string[] {
  if (!LONG) return patterns;
  return globSync(patterns, { cwd: import.meta.dirname, exclude: ['**/node_modules/**'] }).filter(
    (path) =>
      path.endsWith('.long.test.ts') ||
      /\bscaled\(/.test(readFileSync(new URL(path, import.meta.url), 'utf8')),
  );
}

function timeouts(ms: number): { testTimeout: number; hookTimeout: number } {
  return { testTimeout: LONG ? LONG_MS : ms, hookTimeout: LONG ? LONG_MS : ms };
}

/** FLEETFLAME_SEED for the properties of fast-check. */
const setupFiles = [new URL('packages/testing/src/setup.ts', import.meta.url).pathname];

/** unit and browser run anywhere; kernel needs root and BPF; system runs the whole product. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles,
          include: included('packages/*/src/**/*.test.ts'),
          exclude: [...ignored, '**/*.kernel.test.ts', '**/*.browser.test.ts'],
          // Files wait for servers and disks: vitest's own choice, one less than there are CPUs, leaves half of them idle.
          maxWorkers: availableParallelism(),
          // Servers of other makers are started in hooks.
          ...timeouts(60_000),
        },
      },
      {
        test: {
          name: 'kernel',
          setupFiles,
          include: included('packages/*/src/**/*.kernel.test.ts'),
          exclude: ignored,
          fileParallelism: false,
          ...timeouts(120_000),
        },
      },
      {
        test: {
          name: 'system',
          setupFiles,
          include: included('tests/src/**/*.test.ts'),
          exclude: ignored,
          fileParallelism: false,
          ...timeouts(240_000),
        },
      },
      {
        extends: 'packages/ui/vite.config.ts',
        root: 'packages/ui',
        test: {
          name: 'browser',
          include: ['src/**/*.browser.test.ts', 'src/**/*.browser.test.tsx'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: '/usr/bin/chromium',
                args: [
                  '--no-sandbox',
                  '--disable-gpu',
                  '--disable-quic',
                  '--no-first-run',
                  '--disable-background-networking',
                  '--disable-component-update',
                  '--disable-sync',
                ],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});

import { execFileSync } from 'node:child_process';

import { expect, it } from 'vitest';

import { probeCapabilities, type Capability } from './capabilities.ts';

it('finds everything that sampling needs here as root', () => {
  const capabilities = probeCapabilities();
  expect(capabilities.filter(({ status }) => status === 'missing')).toEqual([]);
  expect(new Set(capabilities.map(({ name }) => name)).size).toBe(capabilities.length);
  for (const { status, cost } of capabilities) expect(cost === '').toBe(status === 'ok');
});

it('tells an unprivileged process what is missing and what that costs', () => {
  const script = `
    const { probeCapabilities } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    process.stdout.write(JSON.stringify(probeCapabilities()));`;
  const unprivileged = 65_534;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    uid: unprivileged,
    gid: unprivileged,
    encoding: 'utf8',
  });
  const capabilities: Capability[] = JSON.parse(output);
  const missing = capabilities.filter(({ status }) => status === 'missing').map(({ name }) => name);
  expect(missing).toEqual(
    expect.arrayContaining(['CAP_BPF', 'CAP_PERFMON', 'cpu-clock event', 'process events']),
  );
  for (const { status, cost } of capabilities) expect(cost === '').toBe(status === 'ok');
});

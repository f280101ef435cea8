import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessEvent } from '@fleetflame/bpf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProcFiles } from './proc-files.ts';
import { MAX_EAGER_READS, ProcessTable } from './process-table.ts';

const HOST = { hostName: 'h', extra: {} };
const NOW = 1_700_000_000_000;
let proc: string;

beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'fleetflame-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true }));

function place(
  pid: number,
  process: { exe?: string; comm?: string; cgroup?: string; environ?: string; flags?: number },
): void {
  const directory = join(proc, String(pid));
  mkdirSync(directory, { recursive: true });
  const comm = process.comm ?? 'app (v1) x';
  writeFileSync(join(directory, 'stat'), `${pid} (${comm}) S 1 1 1 0 -1 ${process.flags ?? 4194304} 0 0\n`);
  writeFileSync(join(directory, 'cgroup'), process.cgroup ?? '0::/\n');
  writeFileSync(join(directory, 'environ'), process.environ ?? 'A=1\0');
  if (process.exe !== undefined) symlinkSync(process.exe, join(directory, 'exe'));
}

function event(kind: ProcessEvent['kind'], pid: number, partial: Partial<ProcessEvent> = {}): ProcessEvent {
  return { kind, pid, parentPid: 1, comm: '', executable: '', existing: false, timeNs: 0, ...partial };
}

const table = (): ProcessTable => new ProcessTable(HOST, new ProcFiles(proc));

test('a process is read as soon as it is seen, and keeps its labels when it is gone', () => {
  place(10, { exe: '/opt/app', cgroup: '0::/system.slice/shop.service\n' });
  const processes = table();
  processes.apply([event('start', 10)], NOW);
  rmSync(join(proc, '10'), { recursive: true });
  processes.apply([event('exit', 10)], NOW + 250);
  expect(processes.labelSet(10, NOW + 250).labels).toMatchObject({
    service_name: 'shop',
    process_executable_name: 'app',
    systemd_unit: 'shop.service',
  });
});

test('a process that is gone before it can be read has the labels of its parent and its own executable', () => {
  place(10, { exe: '/bin/sh', environ: 'OTEL_RESOURCE_ATTRIBUTES=service.version=7\0' });
  const processes = table();
  processes.apply([event('start', 10)], NOW);
  processes.apply(
    [
      event('start', 11, { parentPid: 10 }),
      event('exec', 11, { parentPid: 10, executable: '/usr/bin/sort', comm: 'sort' }),
      event('exit', 11),
    ],
    NOW + 250,
  );
  expect(processes.labelSet(11, NOW + 250).labels).toMatchObject({
    service_name: 'sort',
    process_executable_name: 'sort',
    service_version: '7',
  });
  expect(processes.counters.inherited).toBe(1);
});

test('a parent that is read later than its child begins is inherited from all the same', () => {
  place(10, { exe: '/bin/sh', environ: 'OTEL_RESOURCE_ATTRIBUTES=service.version=7\0' });
  const processes = table();
  const child = { parentPid: 10, executable: '/usr/bin/sort', comm: 'sort' };
  processes.apply([event('start', 10), event('start', 11, child), event('exec', 11, child)], NOW);
  expect(processes.labelSet(11, NOW).labels).toMatchObject({ service_name: 'sort', service_version: '7' });
});

test.each(['empty', 'gone'])('a zombie, whose environment is %s, has the labels of its parent', (environ) => {
  place(10, { exe: '/bin/sh', environ: 'OTEL_RESOURCE_ATTRIBUTES=service.version=7\0' });
  place(11, { environ: '' });
  if (environ === 'gone') rmSync(join(proc, '11', 'environ'));
  const processes = table();
  const child = { parentPid: 10, executable: '/usr/bin/sort', comm: 'sort' };
  processes.apply([event('start', 10), event('start', 11, child), event('exec', 11, child)], NOW);
  expect(processes.labelSet(11, NOW).labels).toMatchObject({ service_name: 'sort', service_version: '7' });
});

test('a parent that waits behind many others is read when a child of it needs its labels', () => {
  const processes = table();
  const others: ProcessEvent[] = [];
  for (let pid = 100; pid < 100 + 2 * MAX_EAGER_READS; pid++) {
    place(pid, { exe: '/bin/x' });
    others.push(event('start', pid));
  }
  place(10, { exe: '/bin/sh', environ: 'OTEL_RESOURCE_ATTRIBUTES=service.version=7\0' });
  const child = { parentPid: 10, executable: '/usr/bin/sort', comm: 'sort' };
  processes.apply([...others, event('start', 10), event('exec', 11, child)], NOW);
  expect(processes.labelSet(11, NOW).labels).toMatchObject({ service_name: 'sort', service_version: '7' });
});

test('an environment that is empty during exec is read again', () => {
  place(10, { exe: '/bin/sh', environ: 'OTEL_SERVICE_NAME=parent\0' });
  place(11, { exe: '/usr/bin/env', environ: '' });
  const processes = table();
  const child = { parentPid: 10, executable: '/usr/bin/env', comm: 'env' };
  processes.apply([event('start', 10)], NOW);
  processes.apply([event('exec', 11, child)], NOW);
  expect(processes.labelSet(11, NOW).labels['service_name']).toBe('parent');
  writeFileSync(join(proc, '11', 'environ'), 'OTEL_SERVICE_NAME=own\0');
  processes.apply([], NOW + 250);
  expect(processes.labelSet(11, NOW + 250).labels['service_name']).toBe('own');
});

test('an environment that stays empty is empty', () => {
  place(10, { exe: '/bin/sh', environ: 'OTEL_SERVICE_NAME=parent\0' });
  place(11, { exe: '/usr/bin/env', environ: '' });
  const processes = table();
  processes.apply(
    [event('start', 10), event('exec', 11, { parentPid: 10, executable: '/usr/bin/env', comm: 'env' })],
    NOW,
  );
  processes.apply([], NOW + 250);
  expect(processes.labelSet(11, NOW + 250).labels['service_name']).toBe('parent');
  processes.apply([], NOW + 2500);
  expect(processes.labelSet(11, NOW + 2500).labels['service_name']).toBe('env');
});

test('exec changes the labels, also of a process that was read before', () => {
  place(10, { exe: '/bin/sh' });
  const processes = table();
  processes.apply([event('start', 10)], NOW);
  expect(processes.labelSet(10, NOW).labels['service_name']).toBe('sh');
  rmSync(join(proc, '10'), { recursive: true });
  place(10, { exe: '/usr/bin/make (deleted)' });
  processes.apply([event('exec', 10, { executable: '/usr/bin/make' })], NOW + 250);
  expect(processes.labelSet(10, NOW + 250).labels['service_name']).toBe('make');
});

test('kernel threads are one service', () => {
  place(2, { comm: 'kthreadd', flags: 0x0020_8040 });
  place(14, { comm: 'ksoftirqd/0', flags: 0x0420_8040 });
  const processes = table();
  processes.apply([event('start', 2, { existing: true }), event('start', 14, { existing: true })], NOW);
  expect(processes.labelSet(14, NOW)).toBe(processes.labelSet(2, NOW));
  expect(processes.labelSet(14, NOW).labels).toEqual({ host_name: 'h', service_name: 'kernel' });
  expect(processes.labelSet(14, NOW).threadName('ksoftirqd/0')).toBe('ksoftirqd');
});

test('a sample of a process that nothing is known of is labelled unknown', () => {
  const processes = table();
  expect(processes.labelSet(99, NOW).labels['service_name']).toBe('(unknown)');
  expect(processes.counters.unknown).toBe(1);
});

test('a burst of forks is read a few at a time, those with samples at once', () => {
  const processes = table();
  const events: ProcessEvent[] = [];
  for (let pid = 100; pid < 100 + 3 * MAX_EAGER_READS; pid++) {
    place(pid, { exe: '/bin/x' });
    events.push(event('start', pid));
  }
  processes.apply(events, NOW);
  expect(processes.counters.reads).toBe(MAX_EAGER_READS);
  processes.labelSet(100 + 3 * MAX_EAGER_READS - 1, NOW);
  expect(processes.counters.reads).toBe(MAX_EAGER_READS + 1);
  for (let i = 0; i < 3; i++) processes.apply([], NOW);
  expect(processes.counters.reads).toBe(3 * MAX_EAGER_READS);
});

test('exited processes and labels that nobody has are forgotten', () => {
  place(10, { exe: '/bin/x' });
  const processes = table();
  processes.apply([event('start', 10)], NOW);
  processes.labelSet(10, NOW);
  processes.apply([event('exit', 10)], NOW);
  processes.sweep(NOW + 500);
  expect(processes.size).toBe(1);
  processes.sweep(NOW + 10_000);
  expect([processes.size, processes.labelSetCount]).toEqual([0, 0]);
});

import { expect, test } from 'vitest';
import { MAX_THREAD_NAMES, OTHER_THREADS, ThreadNames, kernelThreadName } from './thread-name.ts';

test.each([
  ['kworker/u8:3-events_unbound', 'kworker'],
  ['kworker/0:1H-kblockd', 'kworker'],
  ['ksoftirqd/1', 'ksoftirqd'],
  ['migration/12', 'migration'],
  ['rcu_preempt', 'rcu_preempt'],
  ['kswapd0', 'kswapd0'],
  ['scsi_eh_0', 'scsi_eh_0'],
  ['jbd2/vda1-8', 'jbd2/vda1-8'],
  ['cpuhp/3', 'cpuhp'],
])('a kernel thread %s is %s', (name, label) => {
  expect(kernelThreadName(name)).toBe(label);
});

function letters(i: number): string {
  return String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26));
}

test('numbers of pools are kept while there are few', () => {
  const names = new ThreadNames(() => expect.unreachable());
  expect(names.label('grpc-worker-3')).toBe('grpc-worker-3');
  expect(names.label('grpc-worker-4')).toBe('grpc-worker-4');
  expect(names.label('grpc-worker-3')).toBe('grpc-worker-3');
});

test('names that explode lose their numbers, then become one', () => {
  let others = 0;
  const names = new ThreadNames(() => others++);
  const labels = new Set<string>();
  for (let i = 0; i < 1000; i++) labels.add(names.label(`request-${i}`));
  expect(labels.size).toBe(MAX_THREAD_NAMES + 1);
  expect(labels.has('request-#')).toBe(true);
  expect(others).toBe(0);

  for (let i = 0; i < 600; i++) labels.add(names.label(`job-${letters(i)}`));
  expect(labels.size).toBe(2 * MAX_THREAD_NAMES + 1);
  expect(labels.has(OTHER_THREADS)).toBe(true);
  expect(others).toBeGreaterThan(0);
  // What was known before still is.
  expect(names.label('request-1')).toBe('request-1');
});

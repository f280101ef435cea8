import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { DirectoryLock } from './directory-lock.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const HOLDER = `
  const { DirectoryLock } = await import(${JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href)});
  DirectoryLock.take(process.argv[1]);
  console.log('taken');
  setInterval(() => {}, 1000);
`;

test('a directory is locked once, also within one process, and free after its release', () => {
  using directory = temporaryDirectory();
  const lock = DirectoryLock.take(directory.path);
  expect(() => DirectoryLock.take(directory.path)).toThrow(/in use by another Fleetflame \(pid \d+ since/);
  lock.release();
  DirectoryLock.take(directory.path).release();
});

test('the lock of another process holds until that process is killed, and no longer', async () => {
  using directory = temporaryDirectory();
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, directory.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(() => DirectoryLock.take(directory.path)).toThrow(`pid ${child.pid}`);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  DirectoryLock.take(directory.path).release();
});

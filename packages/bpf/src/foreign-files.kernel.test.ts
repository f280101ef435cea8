/** Files of others: a process in a root of its own, with everything in it that somebody could put there. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ForeignFiles, foreignFileStats, type ForeignBase } from './foreign-files.ts';

const OUTSIDE = 'outside of the root\n';
const INSIDE = 'inside of the root\n';

let directory: string;
let root: string;
let contained: ChildProcess;
const files = new ForeignFiles();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-foreign-'));
  root = join(directory, 'root');
  for (const name of ['', 'here', `here/below`, 'etc', 'dev'])
    mkdirSync(join(root, name), { recursive: true });
  // The same name on both sides, and one that only the host has.
  writeFileSync(join(directory, 'secret'), OUTSIDE);
  mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'etc/both'), INSIDE);
  writeFileSync(join(root, 'here/plain'), INSIDE);
  symlinkSync('/etc/both', join(root, 'absolute'));
  symlinkSync('../../../../../../../etc/both', join(root, 'here/below/climbing'));
  symlinkSync(join(directory, 'secret'), join(root, 'leading-out'));
  symlinkSync('/here', join(root, 'to-directory'));
  symlinkSync('itself', join(root, 'itself'));
  symlinkSync('/dev/null', join(root, 'to-device'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  execFileSync('mknod', [join(root, 'dev/null'), 'c', '1', '3']);
  execFileSync('mknod', [join(root, 'dev/disk'), 'b', '259', '4000']);
  const program = join(root, 'wait');
  const source = join(directory, 'wait.c');
  writeFileSync(source, '#include <unistd.h>\nint main(void) { chdir("/here"); for (;;) pause(); }\n');
  execFileSync('gcc', ['-static', '-O1', '-Wno-unused-result', source, '-o', program]);
  contained = spawn('chroot', [root, '/wait'], { stdio: 'ignore' });
  await vi.waitFor(() => expect(readlinkSync(`/proc/${pid()}/cwd`)).toBe(join(root, 'here')), {
    timeout: 30_000,
  });
});

afterAll(() => {
  files.dispose();
  contained.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function pid(): number {
  return contained.pid ?? 0;
}

/** What is there: its text, or why it was not opened. */
function textAt(base: ForeignBase, path: string, links = true): string {
  const file = files.openPath(pid(), base, path, { links });
  if (typeof file === 'string') return file;
  const bytes = Buffer.alloc(file.size);
  const read = files.read(file, bytes, 0);
  files.close(file);
  return typeof read === 'string' ? read : bytes.subarray(0, read).toString();
}

it.each([
  ['root', '/here/plain', INSIDE],
  ['root', '/absolute', INSIDE],
  ['root', '/here/below/climbing', INSIDE],
  ['root', '/../../../../etc/both', INSIDE],
  ['root', '/to-directory/plain', INSIDE],
  ['root', '/leading-out', 'absent'],
  ['root', '/itself', 'link'],
  ['root', '/here', 'not_regular'],
  ['cwd', 'plain', INSIDE],
  ['cwd', '../etc/both', 'link'],
  ['cwd', 'below/climbing', 'link'],
  ['host', '/proc/self/status', 'not_regular'],
  ['host', '/sys/kernel/notes', 'not_regular'],
] as const)('from %s, %s gives %j', (base, path, expected) => {
  expect(textAt(base, path)).toBe(expected);
});

it.each([
  ['/to-directory/plain', 'link'],
  // The link itself is what is there, and that is no plain file.
  ['/absolute', 'not_regular'],
  ['/here/below/climbing', 'not_regular'],
  ['/leading-out', 'not_regular'],
  ['/to-device', 'not_regular'],
])('%s is not followed where no link may be: %s', (path, problem) => {
  expect(textAt('root', path, false)).toBe(problem);
});

it.each(['/fifo', '/dev/null', '/dev/disk', '/to-device'])(
  '%s is looked at, counted and never opened',
  (path) => {
    const before = foreignFileStats();
    expect(textAt('root', path)).toBe('not_regular');
    const after = foreignFileStats();
    expect(after.notRegular).toBe(before.notRegular + 1);
    expect(after.hangs).toBe(before.hangs);
  },
);

it.skipIf(!existsSync('/dev/fuse'))(
  'a file that hangs keeps one helper, and nobody else from their files',
  async () => {
    const silent = join(directory, 'silent');
    mkdirSync(silent);
    // A file system whose server never answers: nobody reads this descriptor.
    const fuse = openSync('/dev/fuse', 'r+');
    const options = `fd=3,rootmode=40000,user_id=0,group_id=0`;
    const mounted = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'silent', silent], {
      stdio: ['ignore', 'inherit', 'inherit', fuse],
    });
    expect(mounted.status).toBe(0);
    const before = foreignFileStats();
    try {
      expect(textAt('host', join(silent, 'first'))).toBe('hung');
      const hung = foreignFileStats();
      expect([hung.hangs - before.hangs, hung.hungHelpers - before.hungHelpers]).toEqual([1, 1]);
      // Others are served by another helper, which is not given to the silent one.
      expect(textAt('root', '/here/plain')).toBe(INSIDE);
      for (const name of ['first', 'second', 'third'])
        expect(textAt('host', join(silent, name))).toBe('hung');
      const after = foreignFileStats();
      expect(after.hangs).toBe(hung.hangs);
      expect(after.refused - hung.refused).toBe(3);
      expect(after.hungHelpers).toBe(hung.hungHelpers);
      expect(textAt('root', '/absolute')).toBe(INSIDE);
    } finally {
      // Whoever waits gets an error.
      closeSync(fuse);
      execFileSync('umount', ['--lazy', silent]);
    }
    await vi.waitFor(() => expect(foreignFileStats().hungHelpers).toBe(before.hungHelpers), {
      timeout: 30_000,
    });
  },
);

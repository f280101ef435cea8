import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { planReach, type Mounts } from './reach.ts';
import { namelessUser } from './system-user.ts';

/** Neither owns nor shares a group with anything here. */
const STRANGER = namelessUser(53_612, 53_612);

let top: string;
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'fleetflame-reach-')));
  for (const path of ['above/code/packages/cli', 'above/code/node_modules', 'data'])
    mkdirSync(join(top, path), { recursive: true });
  writeFileSync(join(top, 'above/code/packages/cli/main.ts'), '');
  for (const path of ['', 'above', 'above/code', 'above/code/packages', 'above/code/packages/cli', 'data'])
    chmodSync(join(top, path), 0o755);
});
afterEach(() => {
  rmSync(top, { recursive: true });
});

function plan(): Mounts {
  return planReach(
    {
      code: join(top, 'above/code'),
      files: [join(top, 'above/code/packages/cli/main.ts')],
      directories: [join(top, 'data')],
    },
    STRANGER,
  );
}

it('needs no mounts where every directory is open', () => {
  expect(plan()).toEqual({ covered: [], bound: [] });
});

it('shows the checkout below a directory that is closed, and nothing else of that', () => {
  chmodSync(join(top, 'above'), 0o700);
  expect(plan()).toEqual({ covered: [join(top, 'above')], bound: [join(top, 'above/code')] });
});

it('shows checkout and data below one closed directory', () => {
  chmodSync(top, 0o710);
  expect(plan()).toEqual({ covered: [top], bound: [join(top, 'data'), join(top, 'above/code')] });
});

it('shows the parts of a checkout that is closed itself', () => {
  chmodSync(join(top, 'above/code'), 0o700);
  expect(plan()).toEqual({
    covered: [join(top, 'above/code')],
    bound: [join(top, 'above/code/node_modules'), join(top, 'above/code/packages')],
  });
});

it.each(['above/code/packages', 'above/code/packages/cli'])(
  'says how to open a checkout that is closed inside, at %s',
  (path) => {
    chmodSync(join(top, 'above'), 0o700);
    chmodSync(join(top, path), 0o700);
    expect(plan).toThrow(`may not enter ${join(top, path)}: open it (chmod go+rx ${join(top, path)}`);
  },
);

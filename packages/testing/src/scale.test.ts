import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const SCALE = new URL('scale.ts', import.meta.url).href;

function counts(long: string | undefined): unknown {
  const program = `const { isLong, scaled } = await import('${SCALE}');
    console.log(JSON.stringify([isLong, scaled(20), scaled(20, 50)]))`;
  const { FLEETFLAME_LONG: _, ...environment } = process.env;
  const env = long === undefined ? environment : { ...environment, FLEETFLAME_LONG: long };
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { env });
  return JSON.parse(output.toString());
}

it.each([
  [undefined, [false, 20, 20]],
  ['0', [false, 20, 20]],
  ['1', [true, 2000, 50]],
  ['2', [true, 4000, 100]],
  ['0.1', [true, 200, 20]],
])('FLEETFLAME_LONG=%s', (long, expected) => {
  expect(counts(long)).toEqual(expected);
});

/** Random Unicode in every name that a profile has: what any verb prints neither steers a terminal nor hides a character. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockBuilder, encodeBlock, encodePprof } from '@fleetflame/profile';
import { scaled, testSeed } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, type Output } from './support/product.ts';

const SEED = testSeed();
const ROUNDS = scaled(3, 200);
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
/** Written out, not by the classes that the product uses. Tabs and line ends are between names. */
const STEERS =
  // oxlint-disable-next-line no-control-regex -- they are what this is about
  /[\0-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]|[\u{E0000}-\u{E007F}]/u;
/** The worst, in each batch of names. */
const EVIL = [
  'red\u001B[31m\u001B]0;title\u0007\u202Egnp',
  'line\nforged 100 %\r\u001B[2K',
  'c1\u009B2J\u0085\u0090',
  'tag\u{E0041}\u200B\u2066\u061C\u2029',
];

/** The first as folded stacks have it: ";" is between frames. */
const EVIL_STACK = 'red\u001B[31m\u001B]0:title\u0007\u202Egnp';

/** Names: noise of all planes, with what steers more often than by chance. */
const name = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCodePoint(code)),
      fc.integer({ min: 0x2000, max: 0x206f }).map((code) => String.fromCodePoint(code)),
      fc.constantFrom(...EVIL),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join(''));

function expectHarmless(what: string, { stdout, stderr }: Output): void {
  expect(STEERS.exec(stdout)?.[0], `${what}: ${JSON.stringify(stdout)}`).toBeUndefined();
  expect(STEERS.exec(stderr)?.[0], `${what}: ${JSON.stringify(stderr)}`).toBeUndefined();
}

describe(`a terminal (FLEETFLAME_SEED=${SEED})`, () => {
  let product: Product;
  let directory: string;
  const nowMs = Date.now();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fleetflame-terminal-'));
    product = await Product.start({ args: ['--no-agent'] });
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it(
    'gets no control character from any verb, and files get the names as they are',
    async () => {
      const batches = fc.sample(fc.array(name, { minLength: 8, maxLength: 8 }), {
        numRuns: ROUNDS,
        seed: SEED,
      });
      for (const [round, random] of batches.entries()) {
        const names = [...EVIL, ...random];
        const builder = new BlockBuilder();
        const service = `${names[round % names.length]}${round}`;
        const series = builder.series(CPU, 10_000_000, {
          service_name: service,
          thread_name: names[(round + 1) % names.length] ?? '',
          host_name: names[(round + 2) % names.length] ?? '',
        });
        let stack = 0;
        for (const [at, text] of names.entries()) {
          const mapping = builder.mapping(builder.string(text), 0, 'native');
          const fn = builder.function(
            builder.string(text),
            0,
            builder.string(names[(at + 3) % names.length] ?? ''),
            1,
          );
          stack = builder.stack(stack, builder.location(mapping, 0, 0, [fn, 1]));
          builder.add(series, stack, nowMs - 1000, 10_000_000);
        }
        const block = builder.build();
        await product.ingest.write({ agentId: `terminal-${round}`, seq: 1n, block: encodeBlock(block) });
        const range = ['--last', '1h', '--selector', `{service_name=${JSON.stringify(service)}}`];
        const folded = join(directory, 'folded');
        const pprof = join(directory, `p-${round}.pb.gz`);
        await writeFile(pprof, encodePprof(block, { profileType: CPU }));
        const verbs = [
          ['top', ...range],
          ['top', ...range, '--json'],
          ['flame', ...range],
          ['flame', ...range, '--format', 'json'],
          ['flame', ...range, '--by', 'thread_name'],
          ['series', ...range, '--by', 'thread_name'],
          ['series', ...range, '--by', 'service_name', '--json'],
          ['symbols', ...range],
          ['blocks', 'list', '--last', '1h'],
          ['jobs', 'list'],
          ['push', pprof, '--label', `service_name=${service}`, '--time', 'now'],
          ['push', join(directory, `${names[0]}.gone`)],
          ['top', '--last', '1h', '--selector', `{${service}="x"}`],
          ['top', '--last', '1h', '--type', service],
          ['series', '--last', '1h', '--by', service],
          ['top', `--${names[0]}`],
        ];
        // A name that is an argument cannot have NUL in it.
        const possible = verbs.map((verb) => verb.map((word) => word.replaceAll('\0', '0')));
        for (const verb of possible) expectHarmless(JSON.stringify(verb), await product.cli(...verb));
        const written = await product.cli(
          ...['flame', ...range, '-o', folded].map((word) => word.replaceAll('\0', '0')),
        );
        expectHarmless('flame -o', written);
        expect(service.includes('\0') ? EVIL_STACK : await readFile(folded, 'utf8')).toContain(EVIL_STACK);
      }
      const listed = await product.cli('blocks', 'list', '--last', '1h', '--json');
      // Our own JSON.
      const { blocks } = JSON.parse(listed.stdout) as { readonly blocks: readonly { readonly id: string }[] };
      expectHarmless('blocks inspect', await product.cli('blocks', 'inspect', blocks[0]?.id ?? ''));
      expect(STEERS.exec(product.log)?.[0]).toBeUndefined();
    },
    scaled(240_000),
  );
});

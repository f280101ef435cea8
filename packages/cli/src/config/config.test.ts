import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Config, type LimitTables } from './config.ts';
import { formatConfig } from './print-config.ts';
import type { Role } from './setting.ts';
import { storePlace, type StorePlace } from './store-place.ts';

const LIMITS: LimitTables = {
  ingest: { roles: ['up', 'ingest'], limits: { pendingBytes: 1000, share: 0.5 } },
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-config-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(text: string): string {
  const path = join(directory, 'fleetflame.yaml');
  writeFileSync(path, text);
  return path;
}

async function place(...args: Parameters<typeof load>): Promise<StorePlace> {
  return storePlace(await load(...args));
}

/** As the command line gives it to the role. */
async function load(
  role: Role,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Config> {
  let config: Config | undefined;
  const program = new Command().exitOverride();
  Config.addFlags(program.command(role), role).action(async (flags: Record<string, unknown>) => {
    config = await Config.load(role, flags, environment, LIMITS);
  });
  await program.parseAsync([role, ...args], { from: 'user' });
  if (config === undefined) throw new Error('the role did not run');
  return config;
}

test('a flag wins over the environment, that over the file, that over the default', async () => {
  const path = file('retention: 1d\nlisten: 127.0.0.1:1\nlogLevel: warn\n');
  const environment = { FLEETFLAME_LISTEN: '127.0.0.1:2', FLEETFLAME_LOG_LEVEL: 'error' };
  const config = await load('ingest', ['--config', path, '--log-level', 'debug'], environment);
  expect(config.text('logLevel')).toBe('debug');
  expect(config.text('listen')).toBe('127.0.0.1:2');
  expect(config.number('retention')).toBe(86_400_000);
  expect(config.number('drain')).toBe(0);
  expect((await load('ingest', [], { FLEETFLAME_CONFIG: path })).text('listen')).toBe('127.0.0.1:1');
});

test('limits are changed by file or environment, under the names that their counters have', async () => {
  const path = file('limits:\n  ingest:\n    pendingBytes: 5\n');
  expect((await load('ingest', ['--config', path])).limits('ingest')).toEqual({ pendingBytes: 5 });
  const environment = { FLEETFLAME_LIMITS_INGEST_SHARE: '0.25' };
  expect((await load('ingest', [], environment)).limits('ingest')).toEqual({ share: 0.25 });
});

test('switches are set in three ways', async () => {
  expect((await load('up', [])).isOn('agent.enabled')).toBe(true);
  expect((await load('up', ['--no-agent'])).isOn('agent.enabled')).toBe(false);
  expect((await load('up', ['--config', file('agent: {enabled: false}')])).isOn('agent.enabled')).toBe(false);
  expect((await load('up', [], { FLEETFLAME_AGENT_ENABLED: 'false' })).isOn('agent.enabled')).toBe(false);
  expect((await load('up', ['--objects-path-style'])).isOn('objects.pathStyle')).toBe(true);
  expect((await load('up', [])).isOn('objects.pathStyle')).toBeUndefined();
});

test('lists are repeated flags, sequences in a file, lines of a variable', async () => {
  const rules = ['exe:/usr/bin/*', 'comm:a b'];
  const path = file('agent:\n  skip:\n    - exe:/usr/bin/*\n    - "comm:a b"\n');
  const flags = rules.flatMap((rule) => ['--skip', rule]);
  expect((await load('up', flags)).list('agent.skip')).toEqual(rules);
  expect((await load('up', ['--config', path])).list('agent.skip')).toEqual(rules);
  const environment = { FLEETFLAME_AGENT_SKIP: rules.join('\n') };
  const config = await load('up', [], environment);
  expect(config.list('agent.skip')).toEqual(rules);
  expect(config.list('agent.only')).toEqual([]);
  expect((await load('up', ['--config', file(formatConfig(config))])).list('agent.skip')).toEqual(rules);
});

describe('what is wrong is refused with its place', () => {
  test.each([
    ['a: 1', /fleetflame\.yaml:1: a: there is no such setting$/],
    [
      'objects:\n  urll: x',
      /fleetflame\.yaml:2: objects\.urll: there is no such setting; did you mean objects\.url\?/,
    ],
    ['listen: x\n\nretention: 7x', /fleetflame\.yaml:3: retention: "7x" is not a duration/],
    ['listen: [1, 2]', /fleetflame\.yaml:1: listen: it takes one value/],
    ['listen:', /fleetflame\.yaml:1: listen: it has no value/],
    ['listen: a\nlisten: b', /fleetflame\.yaml:2: Map keys must be unique/],
    ['- listen', /fleetflame\.yaml: it is not a list of KEY: VALUE/],
    ['logLevel: loud', /fleetflame\.yaml:1: logLevel: "loud" is none of fatal, error/],
    [
      'agent:\n  frequency: 0',
      /fleetflame\.yaml:2: agent\.frequency: "0" is not a whole number from 1 to 1000/,
    ],
    [
      'limits:\n  ingest:\n    pendingBytes: -5',
      /:3: limits\.ingest\.pendingBytes: "-5" is not a whole number/,
    ],
    [
      'limits:\n  ingest:\n    pendingByte: 5',
      /:3: limits\.ingest\.pendingByte: .* did you mean limits\.ingest\.pendingBytes/,
    ],
    ['agent:\n  enabled: maybe', /:2: agent\.enabled: "maybe" is neither true nor false/],
  ])('file %j', async (text, message) => {
    await expect(load('ingest', ['--config', file(text)])).rejects.toThrow(message);
  });

  test('a file that is not there', async () => {
    await expect(load('up', ['--config', join(directory, 'none.yaml')])).rejects.toThrow(
      /--config: .*none\.yaml cannot be read/,
    );
  });

  test('a flag, a variable', async () => {
    await expect(load('up', ['--frequency', '2000'])).rejects.toThrow(
      /^--frequency: "2000" is not a whole number/,
    );
    await expect(load('up', [], { FLEETFLAME_RETENTION: 'x' })).rejects.toThrow(
      /^FLEETFLAME_RETENTION: "x" is not a duration/,
    );
    await expect(load('up', [], { FLEETFLAME_OBJECT_URL: 'x' })).rejects.toThrow(
      /^FLEETFLAME_OBJECT_URL: there is no such setting; did you mean FLEETFLAME_OBJECTS_URL\?/,
    );
  });

  test('a mistake that a flag covers is a mistake all the same', async () => {
    const path = file('retention: 7x');
    await expect(load('up', ['--config', path, '--retention', '1d'])).rejects.toThrow(/:1: retention/);
  });
});

test('what Kubernetes puts into the environment is not taken for settings', async () => {
  const environment = {
    FLEETFLAME_INGEST_SERVICE_HOST: '10.0.0.1',
    FLEETFLAME_INGEST_SERVICE_PORT_HTTP: '7171',
    FLEETFLAME_INGEST_PORT: 'tcp://10.0.0.1:7171',
    FLEETFLAME_INGEST_PORT_7171_TCP_ADDR: '10.0.0.1',
  };
  expect((await load('ingest', [], environment)).text('listen')).toBe('127.0.0.1:7171');
});

test('the settings in force are shown with their sources, as a file that says the same, without secrets', async () => {
  const text = 'objects:\n  url: s3://fleet/eu\n  accessKeyId: id\n  secretAccessKey: hush1\n';
  const environment = {
    FLEETFLAME_CATALOG_URL: 'postgres://user:hush2@db:5432/fleet',
    FLEETFLAME_RETENTION: '30d',
  };
  const shown = formatConfig(await load('ingest', ['--config', file(text), '--drain', '2s'], environment));
  expect(shown).not.toContain('hush');
  expect(shown).toContain('drain: 2s # --drain');
  expect(shown).toContain('retention: 30d # FLEETFLAME_RETENTION');
  expect(shown).toMatch(/objects:\n {2}url: s3:\/\/fleet\/eu # .*fleetflame\.yaml:2/);
  expect(shown).toContain('postgres://user:hidden@db:5432/fleet');
  expect(shown).toContain('    share: 0.5 # default');
  expect(shown).not.toContain('frequency');
  const again = await load('ingest', ['--config', file(shown)]);
  expect(again.number('retention')).toBe(30 * 86_400_000);
  expect(again.text('objects.url')).toBe('s3://fleet/eu');
});

describe('where the store is', () => {
  const catalog = { FLEETFLAME_CATALOG_URL: 'postgres://db/fleet' };

  test('up keeps what is not said elsewhere in its data directory', async () => {
    expect(await place('up', ['--data', '/data'])).toEqual({ dataDir: '/data' });
    expect(await place('up', ['--data', '/data', '--objects', 's3://bucket'])).toMatchObject({
      dataDir: '/data',
      objects: { engine: 's3', bucket: 'bucket', prefix: '', pathStyle: false },
    });
  });

  test('a role of a cluster says what must be set', async () => {
    await expect(place('query', [])).rejects.toThrow(
      /query shares its store .* set objects\.url \(--objects\) to s3:\/\/BUCKET\/PREFIX and catalog\.url .* \.\/fleetflame up/,
    );
    await expect(place('query', ['--objects', 's3://bucket/a'])).rejects.toThrow(
      /: set catalog\.url \(--catalog\)/,
    );
  });

  test('a catalog in a file is for up alone', async () => {
    const args = ['--objects', 's3://bucket', '--catalog', 'sqlite:/data/other/catalog.db'];
    expect(await place('up', args)).toMatchObject({
      catalog: { engine: 'sqlite', path: '/data/other/catalog.db' },
    });
    await expect(place('ingest', args)).rejects.toThrow(
      /--catalog: a SQLite catalog belongs to one process, .*up/,
    );
  });

  test('bucket, prefix, endpoint and credentials', async () => {
    const args = ['--objects', 's3://bucket/a/b', '--objects-endpoint', 'http://127.0.0.1:7480'];
    const secrets = {
      FLEETFLAME_OBJECTS_ACCESS_KEY_ID: 'id',
      FLEETFLAME_OBJECTS_SECRET_ACCESS_KEY: 'secret',
    };
    expect((await place('query', args, { ...catalog, ...secrets })).objects).toMatchObject({
      bucket: 'bucket',
      prefix: 'a/b/',
      endpoint: 'http://127.0.0.1:7480',
      pathStyle: true,
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    });
  });

  test.each([
    [['--objects', '/var/objects'], /^--objects: "\/var\/objects" is not s3:/],
    [['--objects', 's3://UPPER'], /is not s3:/],
    [['--objects', 's3://bucket//x'], /is not s3:/],
    [['--objects', 's3://bucket', '--objects-endpoint', 'host:1'], /^--objects-endpoint: .* is not an http:/],
    [['--objects-region', 'eu-1'], /^--objects-region: it says nothing without objects\.url/],
    [['--catalog', 'mysql://root:hush@db/x'], /^--catalog: it is neither postgres:(?!.*hush)/],
  ])('%j is refused', async (args, message) => {
    await expect(place('up', args)).rejects.toThrow(message);
  });

  test('half of a pair of credentials is refused', async () => {
    const environment = { FLEETFLAME_OBJECTS_ACCESS_KEY_ID: 'id' };
    await expect(place('up', ['--objects', 's3://bucket'], environment)).rejects.toThrow(
      /^FLEETFLAME_OBJECTS_ACCESS_KEY_ID: .* go together/,
    );
  });
});

import { isAbsolute, resolve } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import type { CatalogConfig, ObjectStoreConfig } from '@fleetflame/store';
import type { Config } from './config.ts';
import { invalid } from './setting.ts';

/** Where a store is, as Store.open takes it. */
export interface StorePlace {
  readonly dataDir?: string;
  readonly objects?: ObjectStoreConfig;
  readonly catalog?: CatalogConfig;
}

/** `up` may keep either in its data directory; what several processes share must be elsewhere. */
export function storePlace(config: Config): StorePlace {
  const objects = objectsOf(config);
  const catalog = catalogOf(config);
  const place = {
    ...(objects === undefined ? {} : { objects }),
    ...(catalog === undefined ? {} : { catalog }),
  };
  if (config.role === 'up') {
    const data = config.requiredText('data');
    return { ...place, dataDir: isAbsolute(data) ? data : resolve(data) };
  }
  const missing = [
    ...(objects === undefined ? ['objects.url (--objects) to s3://BUCKET/PREFIX'] : []),
    ...(catalog === undefined ? ['catalog.url (--catalog) to postgres://…'] : []),
  ];
  if (missing.length > 0) {
    throw new FleetflameError(
      'unsupported',
      `${config.role} shares its store with other processes: set ${missing.join(' and ')}. ` +
        'A data directory with its SQLite catalog belongs to one process, ./fleetflame up.',
    );
  }
  return place;
}

function objectsOf(config: Config): ObjectStoreConfig | undefined {
  const url = config.text('objects.url');
  if (url === undefined) {
    const lost = ['objects.endpoint', 'objects.region', 'objects.pathStyle', 'objects.accessKeyId'].find(
      (key) => config.text(key) !== undefined,
    );
    if (lost !== undefined)
      throw invalid(config.nameOf(lost), 'it says nothing without objects.url (--objects)');
    return undefined;
  }
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._=+/-]*))?$/.exec(url);
  const [, bucket, path = ''] = match ?? [];
  if (bucket === undefined || path.includes('//') || path.startsWith('/')) {
    throw invalid(config.nameOf('objects.url'), `"${url}" is not s3://BUCKET or s3://BUCKET/PREFIX`);
  }
  const endpoint = config.text('objects.endpoint');
  if (endpoint !== undefined && !isHttp(endpoint)) {
    throw invalid(config.nameOf('objects.endpoint'), `"${endpoint}" is not an http:// or https:// URL`);
  }
  const credentials = credentialsOf(config);
  return {
    engine: 's3',
    bucket,
    prefix: path === '' || path.endsWith('/') ? path : `${path}/`,
    region: config.text('objects.region') ?? process.env['AWS_REGION'] ?? 'us-east-1',
    pathStyle: config.isOn('objects.pathStyle') ?? endpoint !== undefined,
    limits: config.limits('objects'),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function credentialsOf(
  config: Config,
): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined {
  const accessKeyId = config.text('objects.accessKeyId');
  const secretAccessKey = config.text('objects.secretAccessKey');
  const sessionToken = config.text('objects.sessionToken');
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  }
  const half = ['objects.accessKeyId', 'objects.secretAccessKey', 'objects.sessionToken'].find(
    (key) => config.text(key) !== undefined,
  );
  if (half === undefined) return undefined;
  throw invalid(config.nameOf(half), 'objects.accessKeyId and objects.secretAccessKey go together');
}

function catalogOf(config: Config): CatalogConfig | undefined {
  const url = config.text('catalog.url');
  if (url === undefined) return undefined;
  if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) {
    return { engine: 'postgres', url, limits: config.limits('catalog') };
  }
  const path = /^sqlite:(?:\/\/)?(\/.+)$/.exec(url)?.[1];
  if (path !== undefined && config.role === 'up') return { engine: 'sqlite', path };
  // What was given may hold a password: it is not repeated.
  throw invalid(
    config.nameOf('catalog.url'),
    path === undefined
      ? 'it is neither postgres://USER:PASSWORD@HOST:PORT/DATABASE nor sqlite:/PATH; without it, the catalog is a file in the data directory (--data)'
      : `a SQLite catalog belongs to one process, ./fleetflame up; ${config.role} shares its catalog: it takes postgres://…`,
  );
}

function isHttp(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

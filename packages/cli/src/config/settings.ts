/**
 * Every setting of every role. A flag wins over the environment (FLEETFLAME_ and the key in capitals:
 * objects.pathStyle is FLEETFLAME_OBJECTS_PATH_STYLE), that over the file, that over the default.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UPLOAD_WHAT } from '@fleetflame/agent';
import { MAX_TABLE_BYTES } from '@fleetflame/bpf';
import { LOG_LEVELS } from '../commands/options.ts';
import { DROPPED_LABELS } from '@fleetflame/store';
import type { Role, Setting } from './setting.ts';

const SERVERS: readonly Role[] = ['up', 'ingest', 'query', 'compactor', 'symbolizer'];
const SAMPLERS: readonly Role[] = ['up', 'agent'];

/** Root's data belongs to the machine, anybody else's to their home. */
function defaultDataDir(): string {
  return process.getuid?.() === 0 ? '/var/lib/fleetflame' : join(homedir(), '.local', 'share', 'fleetflame');
}

const text = { type: 'text' } as const;

export const SETTINGS: Readonly<Record<string, Setting>> = {
  listen: {
    kind: text,
    roles: SERVERS,
    flag: '--listen <host:port>',
    help: 'where to answer',
    default: '127.0.0.1:7171',
  },
  // An agent runs as root: it opens no port unless it is told to.
  'agent.listen': {
    kind: text,
    roles: ['agent'],
    flag: '--listen <host:port>',
    help: 'where to answer /metrics, /status and /healthz, such as 127.0.0.1:7172 (default: nowhere)',
  },
  allowHost: {
    kind: { type: 'list' },
    roles: [...SERVERS, 'agent'],
    flag: '--allow-host <name>',
    help: 'a name under which this server is reached, such as profiles.example.org or *.example.org; repeatable. Addresses and localhost need none',
  },
  trustedProxies: {
    kind: { type: 'list' },
    roles: SERVERS,
    flag: '--trusted-proxy <address>',
    help: 'a balancer or proxy, as address or network, that speaks for others: what it forwards counts for whom it names; repeatable',
  },
  data: {
    kind: text,
    roles: ['up'],
    flag: '--data <directory>',
    help: 'where profiles, symbols and the catalog are kept, unless they are elsewhere',
    default: defaultDataDir(),
  },
  user: {
    kind: text,
    roles: ['up'],
    flag: '--user <name>',
    help: 'started by root: whom the server runs as (default: the owner of --data, or the system user fleetflame when that is root)',
  },
  'objects.url': {
    kind: text,
    roles: SERVERS,
    flag: '--objects <url>',
    help: 'keep profiles and symbols in object storage: s3://BUCKET or s3://BUCKET/PREFIX',
  },
  'objects.endpoint': {
    kind: text,
    roles: SERVERS,
    flag: '--objects-endpoint <url>',
    help: 'the S3 server, such as http://127.0.0.1:7480 (default: AWS)',
  },
  'objects.region': {
    kind: text,
    roles: SERVERS,
    flag: '--objects-region <region>',
    help: "the bucket's region (default: AWS_REGION, or us-east-1)",
  },
  'objects.pathStyle': {
    kind: { type: 'switch' },
    roles: SERVERS,
    flag: '--objects-path-style',
    help: 'the bucket is part of the path, not of the host (default: with an endpoint)',
  },
  'objects.accessKeyId': {
    kind: text,
    roles: SERVERS,
    help: "default: AWS' chain of environment, shared files, and the role of pod, task or instance",
  },
  'objects.secretAccessKey': { kind: text, roles: SERVERS, help: 'with accessKeyId', secret: 'all' },
  'objects.sessionToken': {
    kind: text,
    roles: SERVERS,
    help: 'of temporary credentials',
    secret: 'all',
  },
  'catalog.url': {
    kind: text,
    roles: SERVERS,
    flag: '--catalog <url>',
    help: 'keep the catalog in PostgreSQL, postgres://USER:PASSWORD@HOST:PORT/DATABASE, or in another file, sqlite:/PATH',
    secret: 'url',
  },
  'catalog.copyEvery': {
    kind: { type: 'wait' },
    roles: ['up'],
    flag: '--copy-catalog <duration>',
    help: 'how often a catalog that is a file is copied to where profiles are kept; 0s: never',
    default: '10m',
  },
  'catalog.copies': {
    kind: { type: 'count', min: 1, max: 10_000 },
    roles: ['up'],
    flag: '--catalog-copies <count>',
    help: 'how many of these copies are kept',
    default: '24',
  },
  retention: {
    kind: { type: 'duration' },
    roles: SERVERS,
    flag: '--retention <duration>',
    help: 'how long profiles are kept',
    default: '7d',
  },
  'rollups.fiveMinutes': {
    kind: { type: 'wait' },
    roles: SERVERS,
    flag: '--keep-five-minutes <duration>',
    help: 'how long rollups of 5 minutes are kept, at least as long as --retention; 0s: there are no rollups',
    default: '0s',
  },
  'rollups.hours': {
    kind: { type: 'wait' },
    roles: SERVERS,
    flag: '--keep-hours <duration>',
    help: 'how long rollups of an hour are kept, at least as long as those of 5 minutes',
    default: '0s',
  },
  'rollups.dropLabels': {
    kind: { type: 'list' },
    roles: ['up', 'compactor'],
    flag: '--rollup-drop-label <name>',
    help: `a label that rollups sum over, repeatable (default: ${DROPPED_LABELS.join(', ')})`,
  },
  rememberBatches: {
    kind: { type: 'duration' },
    roles: SERVERS,
    flag: '--remember-batches <duration>',
    help: 'how long it is known which batches are stored: more than limits.ingest.batchAgeMs and futureMs together',
    default: '26h',
  },
  shards: {
    kind: { type: 'count', min: 1, max: 256 },
    roles: ['up', 'compactor'],
    flag: '--shards <count>',
    help: 'into how many parts compaction divides the services: about one per million samples a second; may be changed at any time',
    default: '1',
  },
  'symbols.debuginfod': {
    kind: { type: 'list' },
    roles: ['up', 'query', 'symbolizer'],
    flag: '--debuginfod <url>',
    help: 'ask this debuginfod server for debug files of binaries without names or lines, such as https://debuginfod.debian.net; repeatable',
  },
  drain: {
    kind: { type: 'wait' },
    roles: SERVERS,
    flag: '--drain <duration>',
    help: 'at a stop, keep answering for so long while /readyz says no, so that balancers notice',
    default: '0s',
  },
  logLevel: {
    kind: { type: 'choice', of: LOG_LEVELS },
    roles: [...SERVERS, 'agent'],
    flag: '--log-level <level>',
    help: `how much to log: ${LOG_LEVELS.join(', ')}`,
    default: 'info',
  },
  'agent.enabled': {
    kind: { type: 'switch' },
    roles: ['up'],
    flag: '--no-agent',
    help: 'do not profile this host',
    default: 'true',
  },
  'agent.symbolsServer': {
    kind: text,
    roles: ['agent'],
    flag: '--symbols-server <url>',
    help: 'where symbols go, when that is elsewhere (default: --server)',
  },
  'agent.spool': {
    kind: text,
    roles: ['agent'],
    flag: '--spool <directory>',
    help: 'where batches wait until the server has them',
    default: '/var/lib/fleetflame/spool',
  },
  'agent.spoolSize': {
    kind: { type: 'count', min: 1, max: 1 << 20 },
    roles: ['agent'],
    flag: '--spool-size <MiB>',
    help: 'the most it may hold; beyond it the oldest batches are dropped',
    default: '256',
  },
  'agent.spoolAge': {
    kind: { type: 'duration' },
    roles: ['agent'],
    flag: '--spool-age <duration>',
    help: 'the longest a batch may wait; servers take none that is older than 25h (limits: ingest.batchAgeMs)',
    default: '24h',
  },
  'agent.frequency': {
    kind: { type: 'count', min: 1, max: 1000 },
    roles: SAMPLERS,
    flag: '--frequency <hz>',
    help: 'samples per second and CPU, 1 to 1000',
    // Prime, so that it does not beat with timers, and within the overhead budget.
    default: '19',
  },
  'agent.window': {
    kind: { type: 'duration' },
    roles: SAMPLERS,
    flag: '--window <duration>',
    help: 'how often a batch is sent',
    default: '10s',
  },
  'agent.unwindTableBudget': {
    kind: { type: 'size', max: MAX_TABLE_BYTES },
    roles: SAMPLERS,
    flag: '--unwind-table-budget <size>',
    help: 'kernel memory for unwind tables, four bytes a row; binaries that find no room are walked by frame pointers',
    default: '32MiB',
  },
  'agent.upload': {
    kind: { type: 'choice', of: UPLOAD_WHAT },
    roles: SAMPLERS,
    flag: '--upload <what>',
    help: 'what of binaries is sent to name their code: off (nothing), symbols (names, no source files or lines), debug (all of it)',
    default: 'debug',
  },
  'agent.uploadSkip': {
    kind: { type: 'list' },
    roles: SAMPLERS,
    flag: '--upload-skip <path>',
    help: 'send nothing of binaries at such paths, as their processes see them: /srv/private/** (*, ? and **); repeatable',
  },
  'agent.only': {
    kind: { type: 'list' },
    roles: SAMPLERS,
    flag: '--only <rule>',
    help: 'profile only processes that such a rule matches: exe:/usr/bin/*, comm:node, cgroup:/system.slice, pid:42; repeatable',
  },
  'agent.skip': {
    kind: { type: 'list' },
    roles: SAMPLERS,
    flag: '--skip <rule>',
    help: 'do not profile processes that such a rule matches; repeatable',
  },
  'agent.filterFile': {
    kind: text,
    roles: SAMPLERS,
    flag: '--filter-file <file>',
    help: 'more such rules, one per line as "only RULE" or "skip RULE"; read again on SIGHUP and when it changes',
  },
  server: {
    kind: text,
    roles: ['agent'],
    flag: '--server <url>',
    help: 'where a fleetflame server, or the balancer before several, answers',
    default: 'http://127.0.0.1:7171',
  },
};

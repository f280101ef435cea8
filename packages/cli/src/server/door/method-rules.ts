import { INGEST_LIMITS, type IngestLimits } from '@fleetflame/ingest';
import { SYMBOL_LIMITS } from '@fleetflame/symbols';
import type { DoorLimits } from './limits.ts';

/** What the door knows of a method before it reads a request of it. */
export interface MethodRule {
  /** Bytes of a message, inflated. */
  readonly messageBytes: number;
  /** Fields of a message, those of messages in it too. */
  readonly fields: number;
  /** Requests of it that are worked on at once, beyond which they are to come again. */
  readonly atOnce: number;
  /** It cannot be undone, or stops what cannot be caught up: answered to this machine alone. */
  readonly isLocalOnly: boolean;
}

/** What a file travels in: its labels, names and numbers. */
const ENVELOPE_BYTES = 64 << 10;
/** A build id of 128 digits, its quality and its size: as JSON some more. */
const OFFER_BYTES = 256;
const FIELDS_OF_OFFER = 6;
/** What lists much, or reads it. */
const FEW = 8;

const INGEST = 'fleetflame.ingest.v1.IngestService';
const SYMBOLS = 'fleetflame.symbols.v1.SymbolService';
const QUERY = 'fleetflame.query.v1.QueryService';

/** Methods of JobService that only look. The others delete, stop or resume, also those that are still to come. */
const LOOKING_JOBS: ReadonlySet<string> = new Set(['ListJobs']);
/** Words that name what cannot be undone, in whatever service it is. */
const GRAVE = /^(Erase|Delete|Remove|Drop|Adopt|Restore|Pause|Resume|Purge|Reset)/;

/** The rule of every method: one place for what a request may be. `name` is service/method without the slash before. */
export function methodRule(
  name: string,
  limits: Pick<DoorLimits, 'messageBytes' | 'messageFields' | 'callsAtOnce'>,
  ingest: Partial<Pick<IngestLimits, 'batchBytes' | 'pprofBytes'>> = {},
): MethodRule {
  const [service = '', method = ''] = name.split('/');
  const { batchBytes, pprofBytes } = { ...INGEST_LIMITS, ...ingest };
  const own: ReadonlyMap<string, Partial<MethodRule>> = new Map([
    // What these may have open is limited by ingest and query themselves, which let wait what has come.
    [`${INGEST}/Write`, { messageBytes: batchBytes + ENVELOPE_BYTES, atOnce: Infinity }],
    [`${INGEST}/WritePprof`, { messageBytes: pprofBytes + ENVELOPE_BYTES, atOnce: Infinity }],
    [`${INGEST}/WriteProfile`, { messageBytes: pprofBytes + ENVELOPE_BYTES, atOnce: Infinity }],
    [`${SYMBOLS}/Upload`, { messageBytes: SYMBOL_LIMITS.partBytes + ENVELOPE_BYTES }],
    // Each looks up to 4,096 build ids up in the storage.
    [
      `${SYMBOLS}/Wanted`,
      {
        messageBytes: SYMBOL_LIMITS.buildIds * OFFER_BYTES,
        fields: SYMBOL_LIMITS.buildIds * FIELDS_OF_OFFER,
      },
    ],
    [
      `${SYMBOLS}/Status`,
      {
        messageBytes: SYMBOL_LIMITS.buildIds * OFFER_BYTES,
        fields: SYMBOL_LIMITS.buildIds + 1,
        atOnce: FEW,
      },
    ],
    // Four megabytes each, and pages of ten thousand rows.
    ['fleetflame.store.v1.BlockService/Read', { atOnce: FEW * 2 }],
    ['fleetflame.store.v1.BlockService/List', { atOnce: FEW }],
    ['fleetflame.store.v1.JobService/ListJobs', { atOnce: FEW }],
  ]);
  const isJob = service === 'fleetflame.store.v1.JobService';
  return {
    messageBytes: limits.messageBytes,
    fields: limits.messageFields,
    atOnce: limits.callsAtOnce,
    // A write to the catalog each.
    ...(isJob ? { atOnce: FEW } : {}),
    isLocalOnly: isJob ? !LOOKING_JOBS.has(method) : GRAVE.test(method),
    ...(service === QUERY ? { atOnce: Infinity } : {}),
    ...own.get(name),
  };
}

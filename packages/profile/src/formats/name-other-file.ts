import { FleetflameError } from '../errors.ts';
import { isObject } from './json-file.ts';

interface OtherFile {
  readonly what: string;
  readonly remedy: string;
}

const TAKEN = 'push pprof, folded stacks, perf script, speedscope, .cpuprofile, JFR or gperftools files';
const UNPACK = 'unpack it and push the profiles inside';
const PICTURE = 'push the file that it was drawn from';

/** First bytes of files that are no profiles. */
const MAGICS: readonly (readonly [magic: string, offset: number, file: OtherFile])[] = [
  [
    'PERFILE2',
    0,
    { what: 'a perf.data file', remedy: 'run "perf script" where it was recorded, and push its output' },
  ],
  ['\u0089PNG', 0, { what: 'a PNG picture', remedy: PICTURE }],
  ['\u00ff\u00d8\u00ff', 0, { what: 'a JPEG picture', remedy: PICTURE }],
  ['GIF8', 0, { what: 'a GIF picture', remedy: PICTURE }],
  ['PK\u0003\u0004', 0, { what: 'a zip archive', remedy: UNPACK }],
  ['PK\u0005\u0006', 0, { what: 'an empty zip archive', remedy: TAKEN }],
  ['ustar', 257, { what: 'a tar archive', remedy: UNPACK }],
  ['\u00fd7zXZ', 0, { what: 'an xz file', remedy: 'unpack it (xz -d), and push what is inside' }],
  ['BZh', 0, { what: 'a bzip2 file', remedy: 'unpack it (bzip2 -d), and push what is inside' }],
  ['7z\u00bc\u00af', 0, { what: 'a 7z archive', remedy: UNPACK }],
  [
    '\u007fELF',
    0,
    {
      what: 'an ELF binary',
      remedy: 'push its symbols with "fleetflame symbols push", and a profile of it here',
    },
  ],
  ['\u00cf\u00fa\u00ed\u00fe', 0, { what: 'a Mach-O binary', remedy: TAKEN }],
  ['MZ', 0, { what: 'a Windows program', remedy: TAKEN }],
  ['%PDF', 0, { what: 'a PDF document', remedy: TAKEN }],
  ['JAVA PROFILE', 0, { what: 'a heap dump of the JVM (hprof)', remedy: 'push a recording (JFR) instead' }],
  ['SQLite format 3', 0, { what: 'a SQLite database', remedy: TAKEN }],
  ['ARROW1', 0, { what: 'an Arrow file', remedy: TAKEN }],
  ['PAR1', 0, { what: 'a Parquet file', remedy: TAKEN }],
  [
    'go 1.',
    0,
    {
      what: 'an execution trace of Go',
      remedy: 'make a profile of it: go tool trace -pprof=net|sync|syscall|sched',
    },
  ],
];

/** Beginnings of texts that are no profiles, or profiles in a form that is for people. */
const TEXTS: readonly (readonly [RegExp, OtherFile])[] = [
  [
    /^\s*(?:<!doctype html|<html|<head|<body)/i,
    {
      what: 'an HTML page',
      remedy:
        'a server may have answered with a page (of an error, or to log in): look at it, and fetch the profile itself',
    },
  ],
  [
    /^\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!DOCTYPE svg[^>]{0,300}>\s*)?<svg/i,
    { what: 'an SVG picture, perhaps a flame graph', remedy: 'push the stacks that it was drawn from' },
  ],
  [/^\s*<\?xml/i, { what: 'an XML document', remedy: TAKEN }],
  [
    /^PeriodType: |^Samples:\n/,
    {
      what: 'the text of "go tool pprof -raw"',
      remedy: 'push the profile itself, or make one of it: go tool pprof -proto',
    },
  ],
  [
    /^(?:File: .{0,4096}\n)?(?:Build ID: .{0,200}\n)?Type: \w/,
    {
      what: 'a report of "go tool pprof"',
      remedy: 'push the profile itself, or make one: go tool pprof -proto',
    },
  ],
  [
    /^goroutine profile: total|^(?:goroutine \d+ \[)/,
    {
      what: 'goroutines of Go as text (debug=1 or 2)',
      remedy: 'fetch them without debug=: /debug/pprof/goroutine',
    },
  ],
  [
    /^--- (?:contention|mutex|block)|^threadcreate profile: total/,
    { what: 'a profile of Go as text (debug=1)', remedy: 'fetch it without debug=' },
  ],
  [/^Flat profile:|^Each sample counts as/, { what: 'a report of gprof', remedy: TAKEN }],
  [
    /^# (?:To display the perf\.data header|Samples: )/m,
    { what: 'a report of perf', remedy: 'push the output of "perf script"' },
  ],
  [/^Full thread dump /m, { what: 'a thread dump of the JVM', remedy: 'push a recording (JFR) instead' }],
  [/^digraph /, { what: 'a graph for Graphviz', remedy: 'push the profile that it was drawn from' }],
  [/^(?:events|version|creator|cmd): |^# callgrind format/m, { what: 'a callgrind file', remedy: TAKEN }],
];

/** Why a file of no known format is not taken: what it is, as far as that can be told, and what to do. */
export function otherFile(bytes: Uint8Array, start: string | undefined, json: unknown): FleetflameError {
  const { what, remedy } = identify(bytes, start, json);
  return new FleetflameError(
    'invalid_input',
    `This is ${what}, no profile that Fleetflame takes: ${remedy}.`,
    {
      field: 'profile',
    },
  );
}

/** Whether the first bytes are those of a file that is no profile. */
export function hasOtherMagic(bytes: Uint8Array): boolean {
  return MAGICS.some(([magic, offset]) => startsWith(bytes, magic, offset));
}

function identify(bytes: Uint8Array, start: string | undefined, json: unknown): OtherFile {
  if (bytes.length === 0) return { what: 'an empty file', remedy: 'look whether what writes it went well' };
  if (start !== undefined && start.trim() === '')
    return { what: 'a file of blank lines', remedy: 'look whether what writes it went well' };
  for (const [magic, offset, file] of MAGICS) if (startsWith(bytes, magic, offset)) return file;
  if (json !== undefined) return ofJson(json);
  if (start === undefined)
    return {
      what: 'a binary file of no known kind',
      remedy: `if it is one of them, it is damaged or cut short: ${TAKEN}`,
    };
  for (const [pattern, file] of TEXTS) if (pattern.test(start)) return file;
  if (/^\s*[{[]/.test(start)) return { what: 'JSON that is cut short or damaged', remedy: 'write it again' };
  return {
    what: 'a text of no known kind',
    remedy: `${TAKEN}; stacks with counts are read as folded when each line ends with a number`,
  };
}

function ofJson(json: unknown): OtherFile {
  if (isObject(json)) {
    if (isObject(json['snapshot']) || 'trace_function_infos' in json) {
      return {
        what: 'a heap snapshot of V8',
        remedy: 'push a CPU profile (node --cpu-prof), or a heap profile in pprof form',
      };
    }
    if (isObject(json['head']) && Array.isArray(json['samples'])) {
      return {
        what: 'a sampling heap profile or an old CPU profile of V8',
        remedy: 'push a .cpuprofile of Node 8 or later',
      };
    }
    if (isObject(json['head']))
      return { what: 'a sampling heap profile of V8', remedy: 'push a heap profile in pprof form' };
    if (isObject(json['meta']) && Array.isArray(json['threads'])) {
      return {
        what: 'a profile of the Firefox Profiler',
        remedy: 'push what it was made of: the output of perf script, or pprof',
      };
    }
    if ('error' in json || 'message' in json || 'code' in json) {
      return {
        what: 'the answer of a server in JSON, perhaps an error',
        remedy: 'look at it, and fetch the profile itself',
      };
    }
  }
  return { what: 'JSON of another kind', remedy: TAKEN };
}

function startsWith(bytes: Uint8Array, magic: string, offset: number): boolean {
  if (bytes.length < offset + magic.length) return false;
  for (let i = 0; i < magic.length; i++) if (bytes[offset + i] !== magic.charCodeAt(i)) return false;
  return true;
}

/** The formats that are taken, by the name that --format and WriteProfile know them by. */
export const FORMAT_NAMES = [
  'pprof',
  'folded',
  'perf-script',
  'speedscope',
  'cpuprofile',
  'gperftools-cpu',
  'heap-text',
  'jfr',
] as const;

export type FormatName = (typeof FORMAT_NAMES)[number];

export function isFormatName(text: string): text is FormatName {
  return FORMAT_NAMES.some((name) => name === text);
}

/**
 * What an import had to change so that nothing else of a file is lost. Files in the field have odd
 * values; one of them is no reason to refuse the rest, but whoever pushed it must be told.
 */
export const IMPORT_CHANGES = {
  stack_cut: 'stacks with too many frames: the frames in the middle are left out, a marker is in their place',
  frames_dropped: 'samples whose inner frames were removed, as drop_frames of the profile asks',
  drop_frames_ignored: 'drop_frames or keep_frames could not be applied: all frames are kept',
  label_joined: 'labels given several times on one sample: the values are joined with commas',
  label_cut: 'label names or values that were too long: cut, with … at the end',
  label_left_out: 'labels left out: without a name, too many on one sample, or with too many values',
  label_renamed: 'labels with a name that Fleetflame keeps for itself: renamed to exported_…',
  label_replaced: 'labels of samples that a label given with the push replaced',
  text_not_utf8: 'texts that are not UTF-8: each byte that is not is written as \\xNN',
  text_cut: 'texts that were too long: cut, with … at the end',
  string_missing: 'texts that the string table does not have: empty instead',
  location_missing: 'frames whose location the file does not have: a marker is in their place',
  function_missing: 'lines whose function the file does not have: left out',
  mapping_missing: 'locations whose mapping the file does not have: without a mapping',
  id_repeated: 'ids that several rows claim, or 0: the first row has it',
  line_unknown: 'line numbers that are negative or larger than 32 bits: unknown instead',
  lines_left_out: 'inlined calls beyond the limit of one location: left out',
  value_inexact:
    'values or sums beyond 2^53: taken to the nearest float64, an error below 1e-15 of the value',
  value_capped: 'values beyond 2^60: counted as 2^60',
  value_rounded: 'values that are no whole numbers: rounded',
  value_missing: 'samples with fewer values than there are sample types: 0 for the missing ones',
  value_left_out: 'values that no sample type belongs to: left out',
  value_negative: 'values below 0: left out',
  sample_type_renamed: 'sample types without a name, or named twice, too long or with a colon: renamed',
  period_unknown: 'periods that cannot be: unknown instead',
  time_missing: 'no time in the file: that of its arrival instead',
  duration_unknown: 'durations that cannot be: unknown instead',
  trailing_bytes: 'bytes behind the compressed data or the profile: ignored',
  name_unknown:
    'profiles that mutex and block contention look alike in: say which with --type mutex or --type block',
  no_samples: 'no samples: nothing to store',
  line_skipped: 'lines that are no samples: skipped',
  event_mended: 'frames that were closed in the wrong order: those inside were closed, too',
  event_left_out: 'records that hold no samples of the CPU: left out',
  unnamed_frame: 'frames without a name or address: [unknown]',
} as const satisfies Readonly<Record<string, string>>;

export type ImportChangeCode = keyof typeof IMPORT_CHANGES;

export interface ImportChange {
  readonly what: ImportChangeCode;
  readonly count: number;
  /** The first of them, for people; "" where there is nothing to show. */
  readonly example: string;
}

/** UTF-16 units of an example. */
const EXAMPLE_LENGTH = 120;

export class ImportChanges {
  readonly #changes = new Map<ImportChangeCode, { count: number; readonly example: string }>();

  /** `before`: changes that were made already, such as of the bytes around. */
  constructor(before?: ImportChanges) {
    for (const { what, count, example } of before?.list() ?? []) this.#changes.set(what, { count, example });
  }

  /** Counts; `example` is asked for the first of each. */
  note(what: ImportChangeCode, example: string | (() => string) = '', count = 1): void {
    const known = this.#changes.get(what);
    if (known !== undefined) {
      known.count += count;
      return;
    }
    const text = typeof example === 'string' ? example : example();
    this.#changes.set(what, { count, example: shortened(text, EXAMPLE_LENGTH) });
  }

  count(what: ImportChangeCode): number {
    return this.#changes.get(what)?.count ?? 0;
  }

  list(): ImportChange[] {
    return [...this.#changes].map(([what, { count, example }]) => ({ what, count, example }));
  }
}

/** At most so many UTF-16 units, well-formed; … where something is missing. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

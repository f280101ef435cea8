import { ElfError, elfConstants, type ElfFile } from '@fleetflame/elf';
import type { DebugLines } from './debug-lines.ts';
import { runDebugLines, type DebugLinesOptions } from './run-debug-lines.ts';

/** The file that holds what several debug files have in common (`dwz`), as .gnu_debugaltlink names it. */
export interface SupplementaryFile {
  readonly buildId: string;
  /** As the link has it, for people: it may be relative, and is never opened. */
  readonly path: string;
}

export interface DebugSource {
  /** The file that is being converted. */
  readonly path: string;
  /** Its supplementary file. */
  readonly supplement?: string | undefined;
  readonly options?: DebugLinesOptions;
}

interface Found {
  readonly lines: DebugLines | undefined;
  readonly missingSupplement: SupplementaryFile | undefined;
  /** Why less was read than the file has; empty when all is well. */
  readonly problem: string;
}

const DEBUG_SECTION = /^\.z?debug_(?:info|line)$/;

/** Lines and inlined calls, if the file has any. What goes wrong is said, and does not end the conversion. */
export async function readDebugLines(file: ElfFile, source: DebugSource | undefined): Promise<Found> {
  const none = { lines: undefined, missingSupplement: undefined, problem: '' };
  const hasSome = file.sections.some(
    ({ name, type, size }) => type !== elfConstants.SHT_NOBITS && size > 0 && DEBUG_SECTION.test(name),
  );
  if (!hasSome || source === undefined) return none;
  try {
    const lines = await runDebugLines(source.path, file.source.size, source.supplement, source.options);
    const missingSupplement = supplementOf(lines);
    return { lines, missingSupplement, problem: problemOf(lines, missingSupplement) };
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return { ...none, problem: `lines and inlined calls are missing: ${error.message}` };
  }
}

function supplementOf({ notes }: DebugLines): SupplementaryFile | undefined {
  const buildId = notes.get('supplementId');
  if (buildId === undefined || notes.get('supplementUsed') === '1') return undefined;
  return { buildId, path: notes.get('supplementPath') ?? '' };
}

function problemOf({ notes }: DebugLines, supplement: SupplementaryFile | undefined): string {
  const count = (name: string): number => Number(notes.get(name) ?? 0);
  const problems: string[] = [];
  if (supplement !== undefined) {
    problems.push(
      `names are in the supplementary file ${supplement.buildId} (${supplement.path}), which is not here`,
    );
  }
  if (count('splitUnits') > 0) {
    problems.push(
      `${count('splitUnits')} of ${count('units')} units keep their inlined calls in .dwo files, which are not part of the binary`,
    );
  }
  if (count('damagedUnits') > 0) problems.push(`${count('damagedUnits')} units are damaged`);
  if (count('tooDeep') > 0) problems.push(`${count('tooDeep')} inlined calls are nested too deeply`);
  return problems.join('; ');
}

import { FRAME_KINDS, stoppedHelp, stoppedReasonOf, type NodeIndex } from '@fleetflame/profile';
import { shortBuildId } from '../quantity/build-id.ts';
import { formatAmount, integer, percent, sampling } from '../quantity/format.ts';
import { BOX_MERGED, BOX_PRUNED, type BoxHit } from './box-batch.ts';
import type { FlameData } from './flame-data.ts';
import { KIND_SENTENCES } from './frame-kinds.ts';
import { frameName } from './navigate.ts';

/** What is known of a box, in words and numbers, for the tooltip and for screen readers. */
export interface BoxDescription {
  readonly title: string;
  /** Kind, binary with its build, source; what is unknown is left out. */
  readonly facts: readonly { readonly label: string; readonly text: string }[];
  readonly rows: readonly {
    readonly label: string;
    readonly amount: string;
    readonly share: string;
    readonly samples: string;
  }[];
  readonly hint: string;
}

export function describeBox(data: FlameData, hit: BoxHit): BoxDescription {
  const { table } = data;
  const whole = table.total[0] ?? 0;
  if (hit.form === BOX_MERGED) {
    return {
      title: hit.count === 1 ? frameName(table, hit.node) : `${integer(hit.count)} narrow boxes`,
      facts: [],
      rows: [row(data, 'total', hit.value, whole)],
      hint: 'Click to zoom in.',
    };
  }
  if (hit.form === BOX_PRUNED) {
    return {
      title: `${integer(hit.count)} boxes left out`,
      facts: [{ label: 'below', text: `${frameName(table, hit.node)}; too narrow to be sent` }],
      rows: [row(data, 'total', hit.value, whole)],
      hint: 'Click to focus there and fetch them.',
    };
  }
  return {
    title: frameName(table, hit.node),
    facts: factsOf(data, hit.node),
    rows: [
      row(data, 'total', table.total[hit.node]!, whole),
      row(data, 'self', table.self[hit.node]!, whole),
    ],
    hint: hintOf(data, hit.node),
  };
}

/** "parse, 1.20 cores, 30 %, 2 below" */
export function spokenBox(data: FlameData, node: NodeIndex): string {
  const { table, quantity } = data;
  const total = table.total[node]!;
  return `${frameName(table, node)}, ${formatAmount(total, quantity)}, ${percent(total, table.total[0] ?? 0)}`;
}

function factsOf(data: FlameData, node: NodeIndex): BoxDescription['facts'] {
  const { frames } = data.table;
  const frame = data.table.frame[node]!;
  const kind = FRAME_KINDS[frames.kind[frame]!] ?? 'unknown';
  if (kind === 'stopped' || kind === 'label' || kind === 'root') return [];
  const text = (column: Uint32Array): string => frames.strings[column[frame]!] ?? '';
  const startLine = frames.startLine[frame]!;
  const filename = text(frames.filename);
  return [
    {
      label: 'kind',
      text: `${KIND_SENTENCES[kind]}${frames.named[frame] === 0 ? '; its name is not known' : ''}`,
    },
    { label: 'binary', text: text(frames.binary) },
    { label: 'build', text: shortBuildId(text(frames.buildId)) },
    { label: 'source', text: startLine > 0 ? `${filename}:${startLine}` : filename },
  ].filter((fact) => fact.text !== '');
}

/** For the marker of a stack that ended early: why, and what helps. */
function hintOf(data: FlameData, node: NodeIndex): string {
  const { frames } = data.table;
  if (FRAME_KINDS[frames.kind[data.table.frame[node]!]!] !== 'stopped') return '';
  const help = stoppedHelp(stoppedReasonOf(frameName(data.table, node)) ?? '');
  if (help === undefined) return 'The callers of these stacks could not be found.';
  return `The callers of these stacks are missing. ${help.what} ${help.remedy}`;
}

function row(data: FlameData, label: string, value: number, whole: number): BoxDescription['rows'][number] {
  const taken = sampling(value, data.period);
  let samples = '';
  if (taken !== undefined) {
    const error =
      taken.samples > 0 ? ` ±${(taken.errorShare * 100).toFixed(taken.errorShare < 0.1 ? 1 : 0)} %` : '';
    samples = `${integer(taken.samples)} samples${error}`;
  }
  return { label, amount: formatAmount(value, data.quantity), share: percent(value, whole), samples };
}

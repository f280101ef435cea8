/**
 * Blocks into pprof files: one profile type per file, as `go tool pprof` and its kin expect. A file
 * depends only on the block's content: rows are in the block's canonical order, ids count from 1.
 *
 *   - Times are folded: a sample is one (kept labels, stack), its value the sum over the block.
 *   - Labels become sample labels, numeric ones numeric again (numeric-labels.ts).
 *   - The period is that of the series, 0 (unknown) where they differ.
 *   - A mapping covers the pages of its locations, with file offset = start: addresses are ELF
 *     addresses, so its load bias is 0. Its has_… flags say what its locations have, so that pprof
 *     asks for symbols only where they are missing.
 */
import { gzip } from '#compression';

import type { Block } from '../../block/block.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { PprofTableWriter } from './encode-tables.ts';
import { LABEL, PROFILE, SAMPLE, VALUE_TYPE } from './fields.ts';
import { foldSamples } from '../folded/fold-samples.ts';
import type { LabelSet } from '../folded/fold-samples.ts';
import { keepLabels, NUMERIC_LABELS, parseNumericLabels, parseNumericValue } from './numeric-labels.ts';
import { WireWriter } from './wire-writer.ts';

export interface EncodePprofOptions {
  /** The whole profile type to export. */
  readonly profileType: string;
  /** Labels kept on the samples; undefined or empty: all. Samples that differ in others only are summed. */
  readonly groupBy?: readonly string[] | undefined;
  /** Default true: gzip, as pprof files are by convention. */
  readonly compress?: boolean | undefined;
  /** Unix milliseconds that the profile covers; default: from the block's first to its last sample. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** A profile with the samples of one profile type; without any it is valid and empty. */
export function encodePprof(block: Block, options: EncodePprofOptions): Uint8Array {
  const type = parseProfileType(options.profileType);
  const keep = options.groupBy === undefined || options.groupBy.length === 0 ? undefined : options.groupBy;
  const fromMs = options.fromMs ?? block.timeStartMs;
  const toMs = options.toMs ?? block.timeEndMs;
  const writer = new WireWriter();
  const tables = new PprofTableWriter(block, writer);

  writeValueType(writer, PROFILE.sampleType, tables.string(type.sampleType), tables.string(type.sampleUnit));
  const folded = foldSamples(block, options.profileType, keep && ((labels) => keepLabels(labels, keep)));
  for (const group of folded.groups) {
    const labels = encodeLabels(group.labels, tables);
    for (let i = 0; i < group.stacks.length; i++) {
      const sample = writer.begin(PROFILE.sample);
      const ids = writer.begin(SAMPLE.locationId);
      for (let stack = group.stacks[i]!; stack !== 0; stack = block.stacks.parent[stack]!) {
        writer.varint(tables.location(block.stacks.location[stack]!));
      }
      writer.end(ids);
      const value = group.values[i]!;
      const values = writer.begin(SAMPLE.value);
      writer.varint(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0);
      writer.end(values);
      for (const { key, str, num, unit } of labels) {
        const label = writer.begin(SAMPLE.label);
        writer.uint(LABEL.key, key);
        writer.uint(LABEL.str, str);
        writer.bigint(LABEL.num, num);
        writer.uint(LABEL.numUnit, unit);
        writer.end(label);
      }
      writer.end(sample);
    }
  }
  tables.write();
  writer.bigint(PROFILE.timeNanos, BigInt(fromMs) * 1_000_000n);
  // One point in time covers nothing that is known.
  if (toMs - fromMs > 1) writer.bigint(PROFILE.durationNanos, BigInt(toMs - fromMs) * 1_000_000n);
  writeValueType(writer, PROFILE.periodType, tables.string(type.periodType), tables.string(type.periodUnit));
  writer.int(PROFILE.period, folded.period);
  tables.writeStrings();
  return options.compress === false ? writer.bytes().slice() : gzip(writer.bytes());
}

interface EncodedLabel {
  readonly key: number;
  readonly str: number;
  readonly num: bigint;
  readonly unit: number;
}

function encodeLabels(labels: LabelSet, tables: PprofTableWriter): EncodedLabel[] {
  const units = parseNumericLabels(labels.find(([name]) => name === NUMERIC_LABELS)?.[1]);
  const encoded: EncodedLabel[] = [];
  for (const [name, value] of labels) {
    if (name === NUMERIC_LABELS) continue;
    const unit = units.get(name);
    const num = unit === undefined ? undefined : parseNumericValue(value);
    const key = tables.string(name);
    if (unit === undefined || num === undefined)
      encoded.push({ key, str: tables.string(value), num: 0n, unit: 0 });
    else encoded.push({ key, str: 0, num, unit: tables.string(unit) });
  }
  return encoded;
}

function writeValueType(writer: WireWriter, field: number, type: number, unit: number): void {
  if (type === 0 && unit === 0) return;
  const message = writer.begin(field);
  writer.uint(VALUE_TYPE.type, type);
  writer.uint(VALUE_TYPE.unit, unit);
  writer.end(message);
}

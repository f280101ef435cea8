import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { FleetflameError } from '@fleetflame/profile';
import { messageOf } from '../client/message.ts';
import { invalid } from './setting.ts';

/** A scalar of the file, or a sequence of them: one per line. */
export interface FileValue {
  /** Undefined: the key has no value, such as a group whose settings are commented out. */
  readonly text: string | undefined;
  /** file:line */
  readonly place: string;
}

/** A config file is read whole; it holds dozens of lines. */
const MAX_BYTES = 1 << 20;

/** The scalars of a YAML file by dotted key. Throws invalid_input with file and line. */
export function readConfigFile(path: string): ReadonlyMap<string, FileValue> {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FleetflameError('invalid_input', `--config: ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (source.length > MAX_BYTES) throw invalid(path, `it is larger than ${MAX_BYTES} bytes`);
  const lines = new LineCounter();
  // Aliases could blow a small file up; no setting needs one.
  const document = parseDocument(source, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw invalid(`${path}:${lines.linePos(problem.pos[0]).line}`, problem.message);
  }
  const values = new Map<string, FileValue>();
  if (document.contents === null) return values;
  if (!isMap(document.contents)) throw invalid(path, 'it is not a list of KEY: VALUE');
  collect(document.contents, '', (offset) => `${path}:${lines.linePos(offset).line}`, values);
  return values;
}

function collect(
  map: YAMLMap,
  prefix: string,
  place: (offset: number) => string,
  values: Map<string, FileValue>,
): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key) || typeof key.value !== 'string') {
      throw invalid(place(offsetOf(key)), 'a key is not a word');
    }
    const name = prefix + key.value;
    const where = place(offsetOf(key));
    if (isMap(value)) {
      collect(value, `${name}.`, place, values);
      continue;
    }
    if (value === null || (isScalar(value) && value.value === null)) {
      values.set(name, { text: undefined, place: where });
      continue;
    }
    const scalars: readonly unknown[] = isSeq(value) ? value.items : [value];
    const texts = scalars.map((scalar) => textOf(scalar, `${where}: ${name}`));
    values.set(name, { text: texts.join('\n'), place: where });
  }
}

function textOf(node: unknown, name: string): string {
  if (!isScalar(node) || node.value === null) throw invalid(name, 'it takes a value, or a list of them');
  // As written: a version such as 1.10 must not lose its zero on the way through a number.
  const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
  if (text.includes('\n')) throw invalid(name, 'a value has several lines');
  return text;
}

function offsetOf(node: unknown): number {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? Number(node.range[0])
    : 0;
}

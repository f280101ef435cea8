import { brokenFile } from '../import-error.ts';
import type { JfrBytes } from './jfr-bytes.ts';

export interface JfrField {
  readonly name: string;
  readonly type: number;
  /** The value is a key of the type's pool. */
  readonly pooled: boolean;
  readonly isArray: boolean;
}

/** What a recording says about one of its types. */
export interface JfrClass {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly JfrField[];
}

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
}

/** root → metadata → class → field → annotation: no deeper tree is known. */
const MOST_DEPTH = 12;

/** The types that a metadata event declares; `bytes` stands behind its size and type. */
export function readClasses(bytes: JfrBytes): ReadonlyMap<number, JfrClass> {
  bytes.long();
  bytes.long();
  bytes.long();
  const strings: string[] = [];
  for (let left = bytes.count(); left > 0; left--) {
    const text = bytes.string();
    strings.push(typeof text === 'string' ? text : '');
  }
  const root = readElement(bytes, strings, 0);
  const classes = new Map<number, JfrClass>();
  for (const metadata of root.children) {
    for (const { name, attributes, children } of metadata.children) {
      if (name !== 'class') continue;
      const id = Number(attributes.get('id'));
      classes.set(id, { id, name: attributes.get('name') ?? '', fields: children.flatMap(fieldOf) });
    }
  }
  return classes;
}

function fieldOf({ name, attributes }: Element): JfrField[] {
  if (name !== 'field') return [];
  return [
    {
      name: attributes.get('name') ?? '',
      type: Number(attributes.get('class')),
      pooled: attributes.get('constantPool') === 'true',
      isArray: Number(attributes.get('dimension') ?? 0) > 0,
    },
  ];
}

function readElement(bytes: JfrBytes, strings: readonly string[], depth: number): Element {
  if (depth > MOST_DEPTH) throw brokenFile('jfr', 'its metadata is nested too deep');
  const text = (): string => strings[bytes.int()] ?? '';
  const name = text();
  const attributes = new Map<string, string>();
  for (let left = bytes.count(); left > 0; left--) attributes.set(text(), text());
  const children: Element[] = [];
  for (let left = bytes.count(); left > 0; left--) children.push(readElement(bytes, strings, depth + 1));
  return { name, attributes, children };
}

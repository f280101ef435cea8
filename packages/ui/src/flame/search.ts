import { RE2JS } from 're2js';
import type { FlameTable, NodeIndex } from '@fleetflame/profile';

/**
 * Searching. A query is literal text, ignoring case, because that is what people expect; /re/ and
 * /re/i are regular expressions. RE2 runs them in linear time, so a shared link cannot hang a tab.
 */

export type Query =
  | { readonly kind: 'none' }
  | { readonly kind: 'match'; readonly test: (text: string) => boolean }
  | { readonly kind: 'invalid'; readonly message: string };

export function parseQuery(text: string): Query {
  if (text === '') return { kind: 'none' };
  const pattern = /^\/(.+)\/(i?)$/su.exec(text);
  if (pattern === null) {
    const needle = text.toLowerCase();
    return { kind: 'match', test: (name) => name.toLowerCase().includes(needle) };
  }
  try {
    const flags = pattern[2] === 'i' ? RE2JS.CASE_INSENSITIVE : 0;
    const regex = RE2JS.compile(pattern[1] ?? '', flags);
    return { kind: 'match', test: (name) => regex.matcher(name).find() };
  } catch (cause) {
    return { kind: 'invalid', message: cause instanceof Error ? cause.message : String(cause) };
  }
}

export interface Matches {
  /** 1 for every frame (row of FrameTable) whose name matches. */
  readonly frames: Uint8Array;
  /** Matching nodes in drawing order. */
  readonly nodes: Int32Array;
  /** Value of all stacks that contain a match; a stack with several counts once. */
  readonly value: number;
}

/** A frame matches by its name, its file or its binary. */
export function matchFlame(table: FlameTable, query: Query): Matches | undefined {
  if (query.kind !== 'match') return undefined;
  const { frames } = table;
  const byString = new Int8Array(frames.strings.length).fill(-1);
  const test = (string: number): boolean => {
    if (byString[string] === -1) byString[string] = query.test(frames.strings[string] ?? '') ? 1 : 0;
    return byString[string] === 1;
  };
  const matching = new Uint8Array(frames.length);
  for (let f = 0; f < frames.length; f++) {
    matching[f] = test(frames.name[f]!) || test(frames.filename[f]!) || test(frames.binary[f]!) ? 1 : 0;
  }
  const nodes: NodeIndex[] = [];
  let value = 0;
  let counted = 0;
  for (let node = 1; node < table.length; node++) {
    if (matching[table.frame[node]!] === 0) continue;
    nodes.push(node);
    if (node < counted) continue;
    value += table.total[node]!;
    counted = table.subtreeEnd[node]!;
  }
  return { frames: matching, nodes: Int32Array.from(nodes), value };
}

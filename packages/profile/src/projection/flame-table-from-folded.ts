import { FRAME_KINDS, type FlameTable } from './flame-table.ts';
import { FlameTree } from './flame-tree.ts';
import { layoutFlameTree } from './flame-layout.ts';

/**
 * A flame table from folded text, for tests and examples. A frame may carry its binary and kind:
 *
 *   main;handle;parse 30
 *   main;handle;write@libc.so.6 12
 *   main;handle;write;vfs_write@[kernel] 5
 *
 * `name@binary`: kind native, or kernel for [kernel], jit for [jit]; without it unknown. A name that
 * contains "+0x" counts as not named. Throws on a line without a value.
 */
export function flameTableFromFolded(text: string): FlameTable {
  const tree = new FlameTree();
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const space = trimmed.lastIndexOf(' ');
    const value = Number(trimmed.slice(space + 1));
    if (space < 0 || !Number.isFinite(value))
      throw new Error(`no value at the end of ${JSON.stringify(line)}`);
    let node = 0;
    for (const part of trimmed.slice(0, space).split(';')) {
      const at = part.lastIndexOf('@');
      const name = at < 0 ? part : part.slice(0, at);
      const binary = at < 0 ? '' : part.slice(at + 1);
      const kind = kindOfBinary(binary);
      const frame = tree.frames.intern(
        name,
        '',
        binary,
        FRAME_KINDS.indexOf(kind),
        name.includes('+0x') ? 0 : 1,
      );
      node = tree.child(node, frame);
    }
    tree.addSelf(node, value);
  }
  return layoutFlameTree(tree).table;
}

function kindOfBinary(binary: string): (typeof FRAME_KINDS)[number] {
  if (binary === '') return 'unknown';
  if (binary === '[kernel]') return 'kernel';
  if (binary === '[jit]') return 'jit';
  return 'native';
}

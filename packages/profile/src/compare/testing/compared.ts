/** Sides of comparisons as text, for tests. */
import { FRAME_KINDS } from '../../projection/flame-table.ts';
import { FlameTree } from '../../projection/flame-tree.ts';
import type { ComparedProfile } from '../compared-tree.ts';

const KIND: Readonly<Record<string, string>> = { i: 'inlined', s: 'stopped', k: 'kernel' };

/** A stack per line: `main;parse@libc.so.6;copy_[i] 30`, kinds as in folded stacks; a name with +0x has no name. */
export function profileOf(text: string): ComparedProfile {
  const tree = new FlameTree();
  addStacks(tree, 0, text);
  return { tree, byHost: false };
}

/** The same, a text per host. */
export function profileOfHosts(hosts: Readonly<Record<string, string>>): ComparedProfile {
  const tree = new FlameTree();
  for (const [host, text] of Object.entries(hosts)) {
    const label = tree.frames.intern(host, '', '', FRAME_KINDS.indexOf('label'), 1);
    addStacks(tree, tree.child(0, label), text);
  }
  return { tree, byHost: true };
}

function addStacks(tree: FlameTree, top: number, text: string): void {
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') continue;
    const space = line.lastIndexOf(' ');
    let node = top;
    for (const part of line.slice(0, Math.max(0, space)).split(';')) {
      if (part === '') continue;
      const [, name = '', binary = '', mark = ''] = /^(.*?)(?:@(.*?))?(?:_\[([isk])\])?$/.exec(part) ?? [];
      const kind = FRAME_KINDS.findIndex((one) => one === (KIND[mark] ?? 'native'));
      node = tree.child(node, tree.frames.intern(name, '', binary, kind, name.includes('+0x') ? 0 : 1));
    }
    tree.addSelf(node, Number(line.slice(space + 1)));
  }
}

import { visibleText } from '@fleetflame/profile';
import type { NodeIndex } from '@fleetflame/profile';
import type { BoxBatch } from './box-batch.ts';
import { spokenBox } from './describe.ts';
import type { FlameData } from './flame-data.ts';
import { spokenItems } from './spoken-tree.ts';

/** Keeps the visually hidden tree items of `host` (role="tree") in step with the picture. */
export class SpokenTree {
  readonly #host: HTMLElement;
  readonly #group: HTMLElement;

  constructor(host: HTMLElement, onActivate: (node: NodeIndex) => void) {
    this.#host = host;
    this.#group = host.ownerDocument.createElement('div');
    this.#group.setAttribute('role', 'group');
    this.#group.className = 'visually-hidden';
    this.#group.addEventListener('click', (event) => {
      const item = event.target instanceof HTMLElement ? event.target.dataset['node'] : undefined;
      if (item !== undefined) onActivate(Number(item));
    });
    host.append(this.#group);
  }

  update(data: FlameData, batch: BoxBatch, cursor: NodeIndex): void {
    const document = this.#host.ownerDocument;
    const items = spokenItems(data.table, batch, cursor).map((item) => {
      const element = document.createElement('div');
      element.id = `flame-item-${item.node}`;
      element.dataset['node'] = String(item.node);
      element.setAttribute('role', 'treeitem');
      element.setAttribute('aria-level', String(item.level));
      element.setAttribute('aria-posinset', String(item.position));
      element.setAttribute('aria-setsize', String(item.setSize));
      element.setAttribute('aria-selected', String(item.node === cursor));
      element.textContent = visibleText(spokenBox(data, item.node));
      return element;
    });
    this.#group.replaceChildren(...items);
    if (cursor >= 0) this.#host.setAttribute('aria-activedescendant', `flame-item-${cursor}`);
    else this.#host.removeAttribute('aria-activedescendant');
  }

  remove(): void {
    this.#group.remove();
  }
}

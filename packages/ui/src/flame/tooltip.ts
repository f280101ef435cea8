import { visibleText } from '@fleetflame/profile';
import type { BoxDescription } from './describe.ts';

/**
 * The tooltip of the canvas: one element, filled by hand, so that moving the pointer renders no
 * React. It never takes the pointer; pinned, it stays until it is told to go.
 */
export class Tooltip {
  readonly #element: HTMLElement;
  #isPinned = false;

  constructor(parent: HTMLElement) {
    this.#element = parent.ownerDocument.createElement('div');
    this.#element.className = 'tooltip';
    this.#element.setAttribute('role', 'tooltip');
    this.#element.dataset['testid'] = 'flame-tooltip';
    this.#element.hidden = true;
    parent.append(this.#element);
  }

  get isPinned(): boolean {
    return this.#isPinned;
  }

  show(description: BoxDescription, x: number, y: number): void {
    if (this.#isPinned) return;
    this.#fill(description);
    this.#element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.#element;
    const { innerWidth, innerHeight } = window;
    const left = x + 14 + width > innerWidth ? x - width - 10 : x + 14;
    const top = y + 18 + height > innerHeight ? y - height - 10 : y + 18;
    this.#element.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }

  hide(): void {
    if (!this.#isPinned) this.#element.hidden = true;
  }

  /** Keeps the tooltip where it is, or lets it go. Returns whether it is pinned now. */
  togglePin(): boolean {
    if (this.#element.hidden) return false;
    this.#isPinned = !this.#isPinned;
    this.#element.classList.toggle('is-pinned', this.#isPinned);
    if (!this.#isPinned) this.hide();
    return this.#isPinned;
  }

  remove(): void {
    this.#element.remove();
  }

  #fill(description: BoxDescription): void {
    const document = this.#element.ownerDocument;
    const make = (tag: string, className: string, text: string): HTMLElement => {
      const element = document.createElement(tag);
      element.className = className;
      element.textContent = visibleText(text);
      return element;
    };
    const parts: HTMLElement[] = [make('div', 'tooltip-title', description.title)];
    if (description.facts.length > 0) {
      const facts = make('div', 'tooltip-facts', '');
      for (const { label, text } of description.facts) {
        facts.append(make('span', 'tooltip-label', label), make('span', 'tooltip-fact', text));
      }
      parts.push(facts);
    }
    const grid = make('div', 'tooltip-grid', '');
    for (const row of description.rows) {
      grid.append(
        make('span', 'tooltip-label', row.label),
        make('span', 'tooltip-number', row.amount),
        make('span', 'tooltip-number', row.share),
        make('span', 'tooltip-samples', row.samples),
      );
    }
    parts.push(grid);
    if (description.hint !== '') parts.push(make('div', 'tooltip-hint', description.hint));
    this.#element.replaceChildren(...parts);
  }
}

import { Signal } from '../session/signal.ts';

export const THEME_CHOICES = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

const STORAGE_KEY = 'fleetflame.theme';

/**
 * The theme is a matter of the eye and the room, not of the link: it is kept in the browser.
 * `data-theme` on the root element says which one is in force.
 */
export class ThemeStore {
  readonly choice: Signal<ThemeChoice>;
  /** What is in force: changes with the choice and with the system. */
  readonly active: Signal<'light' | 'dark'>;
  readonly #root: HTMLElement;
  readonly #system = window.matchMedia('(prefers-color-scheme: dark)');

  constructor(root: HTMLElement) {
    this.#root = root;
    const stored = localStorage.getItem(STORAGE_KEY);
    this.choice = new Signal(THEME_CHOICES.find((choice) => choice === stored) ?? 'system');
    this.active = new Signal<'light' | 'dark'>('light');
    this.#system.addEventListener('change', this.#apply);
    this.#apply();
  }

  choose(choice: ThemeChoice): void {
    this.choice.set(choice);
    if (choice === 'system') localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, choice);
    this.#apply();
  }

  /** The first step always changes something: system goes to the opposite of what is shown. */
  cycle(): void {
    const shown = this.active.get();
    const choice = this.choice.get();
    const system = this.#system.matches ? 'dark' : 'light';
    if (choice === 'system') this.choose(shown === 'dark' ? 'light' : 'dark');
    else if (choice !== system) this.choose(system);
    else this.choose('system');
  }

  stop(): void {
    this.#system.removeEventListener('change', this.#apply);
  }

  readonly #apply = (): void => {
    const choice = this.choice.get();
    const active = choice === 'system' ? (this.#system.matches ? 'dark' : 'light') : choice;
    this.#root.dataset['theme'] = active;
    // After the attribute: whoever listens reads the CSS variables.
    this.active.set(active);
  };
}

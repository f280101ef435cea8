export interface BudgetEvents {
  /** Called whenever the amount changes that is held. */
  readonly held: (amount: number) => void;
  /** Called when somebody has to wait. */
  readonly delayed: () => void;
}

/**
 * How much of something all queries together may hold, granted in the order of asking. Who asks for more than there is
 * in all gets it when nobody else holds any, so everybody goes on sooner or later, as long as who holds some can
 * go on without asking again.
 */
export class Budget {
  readonly #limit: number;
  readonly #events: BudgetEvents;
  readonly #waiting: { readonly amount: number; readonly grant: () => void }[] = [];
  #held = 0;

  constructor(limit: number, events: BudgetEvents) {
    this.#limit = limit;
    this.#events = events;
  }

  /** Resolves to what gives it back, to be called once. */
  async take(amount: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(amount)) {
      this.#events.delayed();
      await new Promise<void>((resolve) => {
        const grant = (): void => {
          this.#hold(amount);
          resolve();
        };
        this.#waiting.push({ amount, grant });
      });
    } else this.#hold(amount);
    return () => this.#giveBack(amount);
  }

  #fits(amount: number): boolean {
    return this.#held === 0 || this.#held + amount <= this.#limit;
  }

  #hold(amount: number): void {
    this.#held += amount;
    this.#events.held(this.#held);
  }

  #giveBack(amount: number): void {
    this.#hold(-amount);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!this.#fits(first.amount)) return;
      this.#waiting.shift();
      first.grant();
    }
  }
}

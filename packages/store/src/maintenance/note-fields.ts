/** Fields of a note that holds a JSON object; what is missing or of another type is 0, "" or empty. */
export class NoteFields {
  readonly #fields: ReadonlyMap<string, unknown>;

  private constructor(fields: ReadonlyMap<string, unknown>) {
    this.#fields = fields;
  }

  /** Undefined: there is no note, or it is not an object. */
  static parse(text: string | undefined): NoteFields | undefined {
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    return typeof value === 'object' && value !== null
      ? new NoteFields(new Map<string, unknown>(Object.entries(value)))
      : undefined;
  }

  number(name: string): number {
    const value = this.#fields.get(name);
    return typeof value === 'number' ? value : 0;
  }

  text(name: string): string {
    const value = this.#fields.get(name);
    return typeof value === 'string' ? value : '';
  }

  numbers(name: string): Readonly<Record<string, number>> {
    const value = this.#fields.get(name);
    if (typeof value !== 'object' || value === null) return {};
    const entries = Object.entries(value).filter(([, number]) => typeof number === 'number');
    return Object.fromEntries(entries.map(([key, number]) => [key, Number(number)]));
  }
}

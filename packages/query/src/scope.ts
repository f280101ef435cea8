import { FleetflameError, parseSelector, type Selector } from '@fleetflame/profile';
import type { Scope as ScopeMessage } from '@fleetflame/proto/query/v1/query';
import type { QueryLimits } from './limits.ts';
import type { QueryMetrics } from './query-metrics.ts';

/** The range of a scope that names no start. */
const DEFAULT_RANGE_MS = 3_600_000;

/** A range that counts back begins up to a cell of rollups earlier, and is not longer than it says because of that. */
const COARSEST_CELL_MS = 3_600_000;

/** A checked scope: what to look at. */
export interface Scope {
  /** Unix ms: from inclusive, to exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly selector: Selector;
  /** As asked for: whole, or a part that is resolved against what the range holds. */
  readonly profileType: string;
}

/** Turns a request that exceeds a limit into an error that names it, and counts it. */
export class LimitCheck {
  readonly limits: QueryLimits;
  readonly #metrics: QueryMetrics;

  constructor(limits: QueryLimits, metrics: QueryMetrics) {
    this.limits = limits;
    this.#metrics = metrics;
  }

  atMost(limit: keyof QueryLimits, value: number, field: string, sentence: string): void {
    if (value <= this.limits[limit]) return;
    this.#metrics.refuse(limit);
    throw new FleetflameError('limit_exceeded', sentence, { field });
  }

  /** The scope of a request; checks everything that can be checked without reading. */
  scope(message: ScopeMessage | undefined): Scope {
    if (message === undefined) {
      throw new FleetflameError('invalid_input', 'scope is missing: it says the time range to look at.', {
        field: 'scope',
      });
    }
    const { fromMs, toMs } = this.range(message.fromMs, message.toMs, 'scope.');
    const { profileType } = message;
    this.name(profileType, 'scope.profile_type');
    return { fromMs, toMs, selector: this.#selector(message.selector), profileType };
  }

  /** A label's name, or a profile type: not longer than any that is. */
  name(text: string, field: string): void {
    this.atMost(
      'nameLength',
      text.length,
      field,
      `${field} has ${text.length} characters, at most ${this.limits.nameLength} are possible.`,
    );
  }

  #selector(text: string): Selector {
    try {
      return parseSelector(text);
    } catch (error) {
      if (error instanceof FleetflameError && error.code === 'limit_exceeded')
        this.#metrics.refuse('selector');
      throw error;
    }
  }

  /** Unset ends are filled in, as the proto says: a person with curl need not compute milliseconds. */
  range(from: bigint, to: bigint, path: string): { readonly fromMs: number; readonly toMs: number } {
    const toMs = to === 0n ? Date.now() : time(to, `${path}to_ms`);
    const fromMs = from === 0n ? Math.max(0, toMs - DEFAULT_RANGE_MS) : time(from, `${path}from_ms`);
    if (fromMs >= toMs) {
      throw new FleetflameError(
        'invalid_input',
        `${path}from_ms (${fromMs}) is not before ${path}to_ms (${toMs}).`,
        { field: `${path}from_ms` },
      );
    }
    this.atMost(
      'rangeMs',
      toMs - fromMs - COARSEST_CELL_MS,
      `${path}to_ms`,
      `The time range is ${Math.round((toMs - fromMs) / 86_400_000)} days, at most ` +
        `${this.limits.rangeMs / 86_400_000} are answered: from_ms and to_ms are Unix milliseconds.`,
    );
    return { fromMs, toMs };
  }

  groupBy(labels: readonly string[]): readonly string[] {
    this.atMost(
      'groupByLabels',
      labels.length,
      'group_by',
      `group_by has ${labels.length} labels, at most ${this.limits.groupByLabels} are possible.`,
    );
    for (const [i, label] of labels.entries()) {
      const field = `group_by[${i}]`;
      this.name(label, field);
      if (label === '')
        throw new FleetflameError('invalid_input', `${field} is an empty label name.`, { field });
      if (labels.indexOf(label) !== i) {
        throw new FleetflameError('invalid_input', `${field} repeats the label ${label}.`, { field });
      }
    }
    return labels;
  }

  /** A number of things to list: the default for 0. */
  count(limit: 'nodes' | 'listed' | 'seriesGroups', asked: number, otherwise: number, field: string): number {
    this.atMost(limit, asked, field, `${field} is ${asked}, at most ${this.limits[limit]} is possible.`);
    return asked === 0 ? otherwise : asked;
  }
}

function time(value: bigint, field: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FleetflameError('invalid_input', `${field} is ${value}: it is Unix milliseconds, 0 or more.`, {
      field,
    });
  }
  return Number(value);
}

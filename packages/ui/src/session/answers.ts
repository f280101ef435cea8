import type { Coverage, ProfileType, TopFunction } from '@fleetflame/proto/query/v1/query';
import type { FlameTable } from '@fleetflame/profile';
import type { TimeWindow } from '../time/range.ts';

/** What the server has said, in the form that the page works with. */

export interface TypesAnswer {
  readonly window: TimeWindow;
  readonly types: readonly ProfileType[];
  readonly newestSampleMs: number;
}

/** Which part of the window holds data at all, and how much the whole fleet used. */
export interface PresenceAnswer {
  readonly window: TimeWindow;
  /** The window cut to where there is data of any kind; averages are over this span. */
  readonly span: TimeWindow;
  /** Total of the whole fleet. */
  readonly total: number;
}

export interface FlameAnswer {
  readonly window: TimeWindow;
  readonly table: FlameTable;
  readonly total: number;
  readonly period: number;
  readonly prunedNodes: number;
  readonly prunedValue: number;
  readonly coverage: Coverage | undefined;
  /** True when the focused box is not in the data. */
  readonly focusMissing: boolean;
}

export interface TopAnswer {
  readonly window: TimeWindow;
  readonly total: number;
  readonly functions: readonly TopRow[];
  readonly omittedFunctions: number;
  readonly omittedSelf: number;
}

export interface TopRow {
  readonly id: string;
  readonly name: string;
  readonly filename: string;
  readonly binary: string;
  readonly kind: TopFunction['kind'];
  readonly self: number;
  readonly total: number;
}

export interface SeriesAnswer {
  readonly window: TimeWindow;
  readonly stepMs: number;
  readonly groupBy: string;
  readonly times: Float64Array;
  readonly groups: readonly {
    readonly name: string;
    readonly values: Float64Array;
    readonly rest: boolean;
  }[];
}

export interface CountsAnswer {
  readonly hosts: number;
  readonly services: number;
}

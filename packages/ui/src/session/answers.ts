import type { BinaryUse, Coverage, ProfileType, TopFunction } from '@fleetflame/proto/query/v1/query';
import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';
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
  /** The window cut to where there is data of any kind. */
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
  readonly partlyInlined: boolean;
  /** Of the binary: "", one, or SEVERAL_BUILDS. */
  readonly buildId: string;
  /** Line on which it begins; 0 is unknown. */
  readonly startLine: number;
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

/** Where the value of one function lies. */
export interface FunctionAnswer {
  readonly window: TimeWindow;
  readonly id: string;
  readonly name: string;
  readonly filename: string;
  readonly binary: string;
  readonly self: number;
  readonly total: number;
  /** Of self, what was spent where it is inlined. */
  readonly inlinedSelf: number;
  /** Largest self first; line 0 is unknown. */
  readonly lines: readonly { readonly line: number; readonly self: number; readonly total: number }[];
  readonly omittedLines: number;
  readonly omittedLinesSelf: number;
  readonly builds: readonly {
    readonly file: string;
    readonly buildId: string;
    readonly self: number;
    readonly total: number;
  }[];
  readonly omittedBuilds: number;
}

/** The binaries of the scope, those with the most unnamed CPU first. */
export interface BinariesAnswer {
  readonly window: TimeWindow;
  readonly total: number;
  readonly binaries: readonly BinaryUse[];
  /** Binaries beyond those. */
  readonly omitted: number;
  readonly coverage: Coverage | undefined;
}

/** What the server knows of the symbols of binaries. */
export interface StatusAnswer {
  /** By build id; one that is not here is not known to the server. */
  readonly binaries: ReadonlyMap<string, BinaryStatus>;
  /** Build ids that were too many to ask for. */
  readonly omitted: number;
}

export interface CountsAnswer {
  readonly hosts: number;
  readonly services: number;
}

import { presentTypes } from './plan.ts';
import type { QueryRun } from './query-run.ts';
import type { Scope } from './scope.ts';

export interface SelectedTypes {
  /** The one profile type to look at; undefined: all of them. */
  readonly only: string | undefined;
  readonly all: readonly string[];
}

/** For questions that make sense over all profile types: an empty one means all that are present. */
export function selectedTypes(run: QueryRun, scope: Scope): SelectedTypes {
  if (scope.profileType === '') return { only: undefined, all: presentTypes(run.opened).map(({ id }) => id) };
  const only = run.resolveType(scope);
  return { only, all: [only] };
}

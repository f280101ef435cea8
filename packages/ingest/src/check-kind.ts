import { FleetflameError, SERIES_KINDS, type SeriesKind } from '@fleetflame/profile';
import type { RefusalCounter } from './worker/refusals.ts';

/** The kind that a push says its values have; undefined: it does not say. */
export function checkKind(kind: string, metrics: RefusalCounter): SeriesKind | undefined {
  if (kind === '') return undefined;
  const known = SERIES_KINDS.find((one) => one === kind);
  if (known !== undefined) return known;
  throw metrics.refuse(
    'format',
    new FleetflameError(
      'invalid_input',
      `kind is ${JSON.stringify(kind.slice(0, 40))}: it is one of ${SERIES_KINDS.join(', ')}.`,
      {
        field: 'kind',
      },
    ),
  );
}

import { SEVERAL_BUILDS } from '@fleetflame/profile';

/** Enough to tell builds apart by eye; the whole id is what is copied. */
const SHORT = 12;

/** The beginning of a build id, in words where there are several; '' for none. */
export function shortBuildId(buildId: string): string {
  if (buildId === SEVERAL_BUILDS) return 'several builds';
  return buildId.length > SHORT ? `${buildId.slice(0, SHORT)}…` : buildId;
}

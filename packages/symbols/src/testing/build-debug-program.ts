import { buildProgram } from '@fleetflame/elf/testing';
import { DEBUG_PROGRAMS } from './debug-programs.ts';

/** Path of a built program. */
export function buildDebugProgram(name: keyof typeof DEBUG_PROGRAMS): string {
  return buildProgram(DEBUG_PROGRAMS[name]);
}

import type { FrameKind } from '@fleetflame/profile';

/** Kinds of code in the words of the legend. */
export const KIND_NAMES: Readonly<Record<FrameKind, string>> = {
  unknown: 'unknown',
  native: 'native',
  kernel: 'kernel',
  jit: 'JIT',
  interpreted: 'interpreted',
  label: 'label',
  root: 'all',
  inlined: 'inlined',
  stopped: 'callers missing',
};

/** What a box is, in a few words, for its tooltip. '' where that goes without saying. */
export const KIND_SENTENCES: Readonly<Record<FrameKind, string>> = {
  unknown: 'kind unknown',
  native: 'native code',
  kernel: 'kernel code',
  jit: 'code made at run time (JIT)',
  interpreted: 'interpreted code',
  label: '',
  root: '',
  inlined: 'inlined into its caller',
  stopped: '',
};

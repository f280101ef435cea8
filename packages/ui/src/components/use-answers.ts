import { useMemo } from 'react';
import { parseProfileType } from '@fleetflame/profile';
import type { FlameData } from '../flame/flame-data.ts';
import type { Quantity } from '../quantity/format.ts';
import type { FlameAnswer } from '../session/answers.ts';
import { usePage } from './page-context.ts';
import { useSignal } from './use-signal.ts';

/** What the numbers of the current answers mean. */
export function useQuantity(): Quantity {
  const { session } = usePage();
  const flame = useSignal(session.flame.state).value;
  const window = useSignal(session.window);
  // The whole range that was asked: so rows add up, and the command line says the same.
  const span = flame?.window ?? window;
  const id = flame?.coverage?.profileType ?? '';
  const unit = flame?.coverage?.unit ?? '';
  const spanMs = span.toMs - span.fromMs;
  return useMemo(() => {
    const sampleType = id === '' ? 'cpu' : parseProfileType(id).sampleType;
    return { unit: unit === '' ? 'nanoseconds' : unit, sampleType, spanMs };
  }, [id, unit, spanMs]);
}

export function useFlameData(answer: FlameAnswer | undefined, quantity: Quantity): FlameData | undefined {
  return useMemo(
    () => (answer === undefined ? undefined : { table: answer.table, quantity, period: answer.period }),
    [answer, quantity],
  );
}

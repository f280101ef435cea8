import { readBlock } from '@fleetflame/profile';
import type { Store } from '@fleetflame/store';

/** Sum per (service, leaf function) over everything that the store answers with. */
export async function storeSums(store: Store): Promise<Map<string, number>> {
  const snapshot = await store.snapshot({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
  const sums = new Map<string, number>();
  for (const entry of snapshot.blocks) {
    const { block } = await readBlock(store.source(entry));
    const { samples, series, stacks, locations, functions, strings } = block;
    for (let row = 0; row < samples.length; row++) {
      const location = stacks.location[samples.stack[row]!]!;
      const leaf = strings.at(functions.name[locations.lineFunction[locations.lineStart[location]!]!]!);
      let service = '';
      const label = samples.series[row]!;
      for (let at = series.labelStart[label]!; at < series.labelStart[label + 1]!; at++) {
        if (strings.at(series.labelName[at]!) === 'service_name')
          service = strings.at(series.labelValue[at]!);
      }
      const name = `${service} ${leaf}`;
      sums.set(name, (sums.get(name) ?? 0) + samples.total[row]!);
    }
  }
  snapshot.release();
  return sums;
}

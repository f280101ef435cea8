/**
 * Results of `read` in the order of the items, up to `ahead` of them in flight. When the consumer
 * stops early, what is in flight is waited for and dropped.
 */
export async function* readAhead<Item, Result>(
  items: readonly Item[],
  ahead: number,
  read: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const inFlight: Promise<Result>[] = [];
  let next = 0;
  try {
    while (next < items.length || inFlight.length > 0) {
      while (next < items.length && inFlight.length < ahead) {
        const result = read(items[next++]!);
        // Whoever awaits it below sees the error; until then it must not count as unhandled.
        result.catch(() => undefined);
        inFlight.push(result);
      }
      const first = inFlight.shift();
      if (first !== undefined) yield await first;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}

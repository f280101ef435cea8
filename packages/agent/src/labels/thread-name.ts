/**
 * Thread names as labels. They say a lot ("ThreadPoolForeg", "grpc-worker-3") and some programs put a
 * request's number into them, so the number of different ones per label set is bounded in two steps:
 *
 *   1. names as they are, up to MAX_THREAD_NAMES
 *   2. then without their numbers ("grpc-worker-17" → "grpc-worker-#"), up to as many again
 *   3. then OTHER_THREADS
 */

/** Each is a series of its own per process label set and window; a host has a few hundred label sets. */
export const MAX_THREAD_NAMES = 64;
export const OTHER_THREADS = '(other)';

export class ThreadNames {
  /** Thread name as the kernel has it → label value. */
  readonly #values = new Map<string, string>();
  #whole = 0;
  readonly #folded = new Set<string>();
  readonly #onOther: () => void;

  /** onOther is told of every new name that went to OTHER_THREADS. */
  constructor(onOther: () => void) {
    this.#onOther = onOther;
  }

  /** The thread_name label of a user-space thread. */
  label(name: string): string {
    return this.#values.get(name) ?? this.#admit(name);
  }

  #admit(name: string): string {
    if (this.#whole < MAX_THREAD_NAMES) {
      this.#whole++;
      this.#values.set(name, name);
      return name;
    }
    const folded = name.replace(/\d+/g, '#');
    if (this.#folded.has(folded)) return folded;
    if (this.#folded.size < MAX_THREAD_NAMES) {
      this.#folded.add(folded);
      return folded;
    }
    this.#onOther();
    return OTHER_THREADS;
  }
}

/**
 * The thread_name label of a kernel thread: what it is, without the CPU, pool or work it is at just now.
 * kworker/u8:3-events_unbound → kworker, ksoftirqd/1 → ksoftirqd, nvme0q3/irq stays.
 */
export function kernelThreadName(name: string): string {
  if (name.startsWith('kworker/')) return 'kworker';
  return name.replace(/[/:]u?\d+(?::\d+)?[HIU]?$/, '');
}

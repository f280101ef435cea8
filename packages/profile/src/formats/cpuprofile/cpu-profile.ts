/** A profile of V8, not checked yet. */
export interface CpuProfile {
  /** Before the names of its parts in messages. */
  readonly path: string;
  /** Name of the thread; "" where the file has one only. */
  readonly thread: string;
  /** With callFrame, id, and children or parent. */
  readonly nodes: readonly unknown[];
  /** Ids of nodes. */
  readonly samples: readonly unknown[];
  /** Microseconds from the sample before, the first from the start. */
  readonly timeDeltas: readonly unknown[];
  /** Microseconds of the clock of V8. */
  readonly startTime: number;
  readonly endTime: number;
}

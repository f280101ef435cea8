/** A binary in use that is unwound by frame pointers because its unwind table is not in the kernel. */
export interface RefusedTable {
  /** As in Collection.frameBinary and BinaryEvent.id. */
  readonly binary: number;
  /** What the table would take; 0 when its making was given up before that was known. */
  readonly rows: number;
  readonly bytes: number;
  /** "budget": no room in tableBytes. "kernel": it had no memory. Else a limit on tables, such as "too_many_rows". */
  readonly reason: string;
}

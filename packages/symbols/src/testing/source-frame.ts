/** One function of the chain of an address, innermost first. */
export interface SourceFrame {
  /** As in the binary; '' where it is unknown. */
  readonly name: string;
  /** '' where it is unknown. */
  readonly file: string;
  /** 0 where it is unknown. */
  readonly line: number;
}

import { KERNEL_SERVICE } from './process-labels.ts';
import { ThreadNames, kernelThreadName } from './thread-name.ts';

/** One per different set of process labels; processes share them. */
export class LabelSet {
  readonly labels: Readonly<Record<string, string>>;
  readonly #threadNames: ThreadNames;
  readonly #kernel: boolean;

  constructor(labels: Readonly<Record<string, string>>, onOtherThread: () => void) {
    this.labels = labels;
    this.#kernel = labels['service_name'] === KERNEL_SERVICE && !('process_executable_name' in labels);
    this.#threadNames = new ThreadNames(onOtherThread);
  }

  threadName(comm: string): string {
    return this.#threadNames.label(this.#kernel ? kernelThreadName(comm) : comm);
  }
}

import type { RecordObjectEvent } from '../objects/object-events.ts';
import { TaskThread } from '../threads/task-thread.ts';
import type { MergeReply, MergeRequest, MergeRunner } from './merge-task.ts';

/** A thread for merges. */
export class MergeThread implements MergeRunner {
  readonly #thread: TaskThread;

  /** As TaskThread. */
  constructor(record: RecordObjectEvent) {
    this.#thread = new TaskThread('merge', record);
  }

  async run(request: MergeRequest): Promise<MergeReply> {
    return await this.#thread.run({ task: 'merge', ...request });
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}

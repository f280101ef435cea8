/** What costs seconds of CPU and is done by a thread of its own, as plain data. */
import { runCheck, type CheckRequest, type CheckReply } from '../blocks/check-block.ts';
import { runMerge, type MergeReply, type MergeRequest } from '../compaction/merge-task.ts';
import type { ObjectEvent } from '../objects/object-events.ts';
import type { ObjectStore } from '../objects/object-store.ts';

export type StoreTask =
  | ({ readonly task: 'merge' } & MergeRequest)
  | ({ readonly task: 'check' } & CheckRequest);

export interface StoreReplies {
  readonly merge: MergeReply;
  readonly check: CheckReply;
}

export interface TaskMessage {
  readonly reply: StoreReplies[StoreTask['task']];
  /** What the thread's own object store did for it. */
  readonly events: readonly ObjectEvent[];
}

export async function runTask(
  request: StoreTask,
  objects: ObjectStore,
): Promise<StoreReplies[StoreTask['task']]> {
  return request.task === 'merge' ? await runMerge(request, objects) : await runCheck(request, objects);
}

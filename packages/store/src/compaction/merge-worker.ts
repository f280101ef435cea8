/** The worker thread's main: one request in, one reply out, one at a time. */
import { parentPort } from 'node:worker_threads';
import type { ObjectEvent } from '../objects/object-events.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { openObjectStore } from '../objects/open-object-store.ts';
import { runMerge, type MergeReply, type MergeRequest } from './merge-task.ts';

export interface MergeThreadMessage {
  readonly reply: MergeReply;
  /** What the thread's own object store did for it. */
  readonly events: readonly ObjectEvent[];
}

const port = parentPort;
if (port === null) throw new Error('merge-worker.ts is the main file of a worker thread');

/** A thread serves one store: every request names the same objects, whose connections are kept. */
let opened: Promise<ObjectStore> | undefined;
let events: ObjectEvent[] = [];

async function serve(request: MergeRequest): Promise<MergeThreadMessage> {
  opened ??= openObjectStore(request.objects, (event) => events.push(event));
  const reply = await runMerge(request, await opened);
  const message = { reply, events };
  events = [];
  return message;
}

port.on('message', (request: MergeRequest) => {
  void serve(request).then((message) => port.postMessage(message));
});

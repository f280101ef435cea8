/** The worker thread's main: one request in, one reply out, one at a time. */
import { parentPort } from 'node:worker_threads';
import type { ObjectEvent } from '../objects/object-events.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { openObjectStore } from '../objects/open-object-store.ts';
import { runTask, type StoreTask, type TaskMessage } from './store-task.ts';

const port = parentPort;
if (port === null) throw new Error('task-worker.ts is the main file of a worker thread');

/** A thread serves one store: every request names the same objects, whose connections are kept. */
let opened: Promise<ObjectStore> | undefined;
let events: ObjectEvent[] = [];

async function serve(request: StoreTask): Promise<TaskMessage> {
  opened ??= openObjectStore(request.objects, (event) => events.push(event));
  const reply = await runTask(request, await opened);
  const message = { reply, events };
  events = [];
  return message;
}

port.on('message', (request: StoreTask) => {
  void serve(request).then((message) => port.postMessage(message));
});

/** The worker thread's main: one request in, one reply out, one at a time. */
import { parentPort } from 'node:worker_threads';
import type { ObjectStore } from '../objects/object-store.ts';
import { openObjectStore } from '../objects/open-object-store.ts';
import { runMerge, type MergeRequest } from './merge-task.ts';

const port = parentPort;
if (port === null) throw new Error('merge-worker.ts is the main file of a worker thread');

/** A thread serves one store: every request names the same objects, whose connections are kept. */
let opened: Promise<ObjectStore> | undefined;

port.on('message', (request: MergeRequest) => {
  opened ??= openObjectStore(request.objects);
  void opened.then((objects) => runMerge(request, objects)).then((reply) => port.postMessage(reply));
});

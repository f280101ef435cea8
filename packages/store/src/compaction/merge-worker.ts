/** The worker thread's main: one request in, one reply out, one at a time. */
import { parentPort } from 'node:worker_threads';
import { runMerge, type MergeRequest } from './merge-task.ts';

const port = parentPort;
if (port === null) throw new Error('merge-worker.ts is the main file of a worker thread');

port.on('message', (request: MergeRequest) => {
  void runMerge(request).then((reply) => port.postMessage(reply));
});

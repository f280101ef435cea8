/** JobService: the background work of a store for the people who run it, and the door for what they ask for. */
import type { ConnectRouter } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { JobService, type JobControlSchema } from '@fleetflame/proto/store/v1/jobs';
import type { Store } from '../store.ts';
import type { JobControl } from './job-controls.ts';

/** Characters of a reason that are kept. */
const MAX_REASON = 500;
const LISTED = 100;
/** Some 500 bytes each on the wire. */
const MAX_LISTED = 10_000;

export interface Jobs {
  /** Adds JobService. */
  readonly routes: (router: ConnectRouter) => void;
}

export function createJobs({
  store,
}: {
  readonly store: Pick<Store, 'catalog' | 'controls' | 'erase' | 'now'>;
}): Jobs {
  const routes = (router: ConnectRouter): void => {
    router.service(JobService, {
      async listJobs(request) {
        const limit = Math.min(request.limit === 0 ? LISTED : request.limit, MAX_LISTED);
        const jobs = await store.catalog.jobs.list(limit);
        return {
          jobs: jobs.slice(0, limit).map((job) => ({
            ...job,
            createdMs: BigInt(job.createdMs),
            startedMs: BigInt(job.startedMs),
            endedMs: BigInt(job.endedMs),
            notBeforeMs: BigInt(job.notBeforeMs),
            outcome: job.outcome ?? '',
          })),
          controls: (await store.controls.list()).map(controlMessage),
        };
      },
      async erase({ labelName, labelValue }) {
        return { jobId: await store.erase({ name: labelName, value: labelValue }) };
      },
      async pause({ kind, reason }) {
        await store.controls.pause(kind, reason.slice(0, MAX_REASON), store.now());
        return {};
      },
      async resume({ kind, held }) {
        const before = (await store.controls.list()).find((control) => control.kind === kind);
        // What is held goes only when somebody has said so; a pause ends by being asked to.
        if (held || before?.hold === undefined) await store.controls.resume(kind, held);
        return before === undefined ? {} : { control: controlMessage(before) };
      },
    });
  };
  return { routes };
}

function controlMessage({
  kind,
  pause,
  hold,
  resumed,
}: JobControl): MessageInitShape<typeof JobControlSchema> {
  return {
    kind,
    resumed,
    pausedMs: BigInt(pause?.sinceMs ?? 0),
    pauseReason: pause?.reason ?? '',
    heldMs: BigInt(hold?.sinceMs ?? 0),
    heldReason: hold?.reason ?? '',
    heldBlocks: BigInt(hold?.blocks ?? 0),
    heldBytes: BigInt(hold?.bytes ?? 0),
    heldFromMs: BigInt(Math.trunc(hold?.fromMs ?? 0)),
    heldToMs: BigInt(Math.trunc(hold?.toMs ?? 0)),
  };
}

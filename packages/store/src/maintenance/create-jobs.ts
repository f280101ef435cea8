/** JobService: the background work of a store for the people who run it, and the door for what they ask for. */
import type { ConnectRouter } from '@connectrpc/connect';
import { JobService } from '@fleetflame/proto/store/v1/jobs';
import type { Store } from '../store.ts';

const LISTED = 100;
/** Some 500 bytes each on the wire. */
const MAX_LISTED = 10_000;

export interface Jobs {
  /** Adds JobService. */
  readonly routes: (router: ConnectRouter) => void;
}

export function createJobs({ store }: { readonly store: Pick<Store, 'catalog' | 'erase'> }): Jobs {
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
        };
      },
      async erase({ labelName, labelValue }) {
        return { jobId: await store.erase({ name: labelName, value: labelValue }) };
      },
    });
  };
  return { routes };
}

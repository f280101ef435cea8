import { bucketOfName, labelBucket } from '../projection/label-bucket.ts';

/** Units of the estimator at most: with more hosts, units are buckets of them by hash, which add over blocks and cells. */
export const HOST_BUCKETS = 32;

/** Which unit of the estimator a host belongs to; the same on both sides of a comparison. */
export class HostUnits {
  readonly count: number;
  readonly #numbers: ReadonlyMap<string, number> | undefined;

  /**
   * @param hosts those of both sides; each is a unit of its own while they are not more than HOST_BUCKETS.
   * @param areBuckets a side is by bucket already
   */
  constructor(hosts: Iterable<string>, areBuckets: boolean) {
    const distinct = [...new Set(hosts)].sort();
    const isEach = !areBuckets && distinct.length <= HOST_BUCKETS;
    this.#numbers = isEach ? new Map(distinct.map((host, i) => [host, i])) : undefined;
    this.count = isEach ? distinct.length : HOST_BUCKETS;
  }

  unitOf(host: string): number {
    return this.#numbers?.get(host) ?? labelBucket(host, HOST_BUCKETS);
  }

  /** Of a name that `bucketName` made. */
  unitOfBucket(name: string): number {
    return bucketOfName(name);
  }
}

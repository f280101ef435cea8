/** Units of the estimator at most: with more hosts, units are buckets of them by hash, which add over blocks and cells. */
export const HOST_BUCKETS = 32;

/** Which unit of the estimator a host belongs to; the same on both sides of a comparison. */
export class HostUnits {
  readonly count: number;
  readonly #numbers: ReadonlyMap<string, number> | undefined;

  /** @param hosts those of both sides; each is a unit of its own while they are not more than HOST_BUCKETS. */
  constructor(hosts: Iterable<string>) {
    const distinct = [...new Set(hosts)].sort();
    this.#numbers =
      distinct.length > HOST_BUCKETS ? undefined : new Map(distinct.map((host, i) => [host, i]));
    this.count = Math.min(distinct.length, HOST_BUCKETS);
  }

  unitOf(host: string): number {
    return this.#numbers?.get(host) ?? bucketOf(host);
  }
}

/** FNV-1a with a last mixing, so that names that differ in their last digit spread. */
function bucketOf(host: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < host.length; i++) hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) & (HOST_BUCKETS - 1);
}

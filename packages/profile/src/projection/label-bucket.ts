/**
 * Buckets of label values, for sums over many hosts whose tree each would be too much: a bucket adds over blocks,
 * threads and processes, since it depends on the value alone.
 */

/** Buckets of one group-by at most: each is a tree. */
export const MAX_LABEL_BUCKETS = 1024;

/** 0 to `buckets` - 1: FNV-1a with a last mixing, so that names that differ in their last digit spread. */
export function labelBucket(value: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % buckets;
}

/** What a group-by has in place of values that are in buckets. */
export function bucketName(bucket: number): string {
  return `bucket ${bucket}`;
}

/** The inverse of `bucketName`; -1: it is none. */
export function bucketOfName(name: string): number {
  const [, number] = /^bucket (\d+)$/.exec(name) ?? [];
  return number === undefined ? -1 : Number(number);
}

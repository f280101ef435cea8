/**
 * Which shard a service's samples lie in. From level 1 on a block holds one shard, so that a question
 * about one service reads one block per window however many services there are.
 *
 * The hash is FNV-1a of 32 bits over UTF-8, tenant, a zero byte, service: part of the format, since a
 * query skips blocks by it. A tenant's count may change at any time: a block says which of how many it
 * holds. A service too large for one shard is to be split by series: the same hash over the service and
 * the series' labels, within a count of its own; blocks then name that count too.
 */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

const encoder = new TextEncoder();

export function shardOf(tenant: string, service: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = OFFSET;
  for (const byte of encoder.encode(`${tenant}\0${service}`)) hash = Math.imul(hash ^ byte, PRIME);
  return (hash >>> 0) % shards;
}

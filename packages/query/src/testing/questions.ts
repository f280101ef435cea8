import { decodeFlameTable } from '@fleetflame/profile';
import { blockFromText, TEST_PROFILE_TYPE, TEST_TIME_MS } from '@fleetflame/profile/testing';
import type { Coverage } from '@fleetflame/proto/query/v1/query';
import type { QueryServer } from './query-server.ts';

export const CPU = TEST_PROFILE_TYPE;
export const ALLOC = 'memory:alloc_space:bytes:space:bytes';
export const T = TEST_TIME_MS;

/** api on two hosts for ten seconds, db on one; a memory profile of api. */
export async function commitFleet(server: QueryServer): Promise<void> {
  await server.commit(
    blockFromText('main;handle;parse 30\nmain;handle;write 12 @+5000\nmain;idle 1 @+9999', {
      labels: { service_name: 'api', host_name: 'web-1' },
    }),
    blockFromText('main;handle;parse 3\nmain;gc 4 @+5000', {
      labels: { service_name: 'api', host_name: 'web-2', zone: 'eu' },
    }),
    blockFromText('main;query;scan 100 @+2000', { labels: { service_name: 'db', host_name: 'db-1' } }),
    blockFromText('main;handle 4096', { labels: { service_name: 'api' }, profileType: ALLOC }),
  );
}

export interface ScopeInput {
  readonly from?: number;
  readonly to?: number;
  readonly selector?: string;
  readonly type?: string;
}

export function scope({ from = 0, to = 60_000, selector = '', type = CPU }: ScopeInput = {}): {
  readonly fromMs: bigint;
  readonly toMs: bigint;
  readonly selector: string;
  readonly profileType: string;
} {
  return { fromMs: BigInt(T + from), toMs: BigInt(T + to), selector, profileType: type };
}

export function rows(table: Uint8Array): string[] {
  const flame = decodeFlameTable(table);
  const names: string[] = [];
  return Array.from({ length: flame.length }, (_, i) => {
    names.length = flame.depth[i]!;
    names.push(flame.frames.strings[flame.frames.name[flame.frame[i]!]!]!);
    return `${names.join(';')} ${flame.total[i]} ${flame.self[i]}`;
  });
}

export function present(coverage: Coverage | undefined): Coverage {
  if (coverage === undefined) throw new Error('the answer has no coverage');
  return coverage;
}

/** The message of the error that a call ends with. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: unknown) => String(error),
  );
}

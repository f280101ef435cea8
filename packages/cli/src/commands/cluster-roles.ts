/** Roles of a cluster: one service per process, any number of each over one bucket and one PostgreSQL. */
export const CLUSTER_ROLES = {
  ingest: 'take batches of agents and profiles of others',
  query: 'answer questions and serve the UI',
  compactor: 'merge, expire and remove blocks in the background',
  symbolizer: 'take binaries and turn them into symbol tables',
} as const;

export type ClusterRole = keyof typeof CLUSTER_ROLES;

export function isClusterRole(verb: string | undefined): verb is ClusterRole {
  return verb !== undefined && Object.hasOwn(CLUSTER_ROLES, verb);
}

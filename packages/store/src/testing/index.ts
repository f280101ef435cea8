export { PostgresServer } from './postgres-server.ts';
export { Rgw } from './rgw.ts';

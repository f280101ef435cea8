export { PostgresServer } from './postgres-server.ts';
export { Rgw } from './rgw.ts';
export { FaultyS3, S3_FAULTS, type S3Fault, type S3Request } from './faulty-s3.ts';
export { CUTS, LossyProxy, type Cut } from './lossy-proxy.ts';
export { SeededRandom } from './seeded-random.ts';

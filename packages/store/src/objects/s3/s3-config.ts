import type { S3Limits } from './s3-limits.ts';

/** Plain data: a worker thread opens the same store from it. Holds a secret when `credentials` is there. */
export interface S3ObjectStoreConfig {
  readonly engine: 's3';
  readonly bucket: string;
  /** What every key begins with, ending in a slash; "" where the bucket is all ours. */
  readonly prefix: string;
  /** URL of the service. Default: AWS in `region`. */
  readonly endpoint?: string;
  readonly region: string;
  /** True: endpoint/bucket/key, as most servers but AWS want it; false: bucket.endpoint/key. */
  readonly pathStyle: boolean;
  /** Default: AWS' chain, which looks at the environment, the shared files, and the role of the pod, task or instance. */
  readonly credentials?: S3Credentials;
  readonly limits?: Partial<S3Limits>;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

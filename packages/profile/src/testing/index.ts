export * from './arbitrary-block.ts';
export * from './block-from-text.ts';
export * from './describe-block.ts';
export { blocksOfSnapshots, TEST_SNAPSHOT_TYPE, type Snapshot } from './snapshots.ts';
export * as rawPprof from '../formats/pprof/testing/raw-profile.ts';

export * from './load.ts';
export * from './recording.ts';
export * from './stack-ends.ts';
export * from './symbols.ts';
export { Agreement } from './walker/agreement.ts';
export { buildWalker } from './walker/build-walker.ts';
export { compareWithGdb } from './walker/compare-with-gdb.ts';
export { compareWithPerf } from './walker/compare-with-perf.ts';
export { readPerfScript } from './walker/perf-script.ts';

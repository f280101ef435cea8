export * from './load.ts';
export * from './recording.ts';
export * from './stack-ends.ts';
export * from './symbols.ts';

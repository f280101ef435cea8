export * from './arbitrary-block.ts';
export * from './block-from-text.ts';
export * from './describe-block.ts';

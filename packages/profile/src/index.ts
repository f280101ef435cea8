export * from './errors.ts';
export * from './block/block.ts';
export { BlockBuilder } from './block/block-builder.ts';
export * from './projection/flame-table.ts';

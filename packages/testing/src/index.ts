export { isLong, scaled } from './scale.ts';
export { testSeed } from './seed.ts';

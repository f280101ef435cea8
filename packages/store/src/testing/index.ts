export { Rgw } from './rgw.ts';

export { type Comparison, compareRows } from './compare-rows.ts';
export { buildTool } from './tool.ts';

export { type Comparison, compareRows } from './compare-rows.ts';
export { buildTool } from './tool.ts';
export { ourRows, type OurRows } from './our-rows.ts';

export { checkSums, type SumCheck } from './check-sums.ts';
export { writeFleet, type WriteOptions, type WriteResult } from './fleet-writer.ts';
export { Ledger } from './ledger.ts';
export { SimulatedFleet, type FleetShape } from './simulated-fleet.ts';

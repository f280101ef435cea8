export {
  AGENT_CAPABILITIES,
  AGENT_CAPABILITY_NAMES,
  capabilitySet,
  hasBit,
  heldAgentCapabilities,
  type AgentCapabilityName,
} from './agent-capabilities.ts';
export * from './capabilities.ts';
export * from './collection.ts';
export * from './errors.ts';
export * from './filter-rule.ts';
export * from './foreign-files.ts';
export * from './refused-table.ts';
export * from './sampler-stats.ts';
export * from './sampler.ts';

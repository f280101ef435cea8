export * from './errors.ts';
export * from './block/block.ts';
export { BlockBuilder } from './block/block-builder.ts';
export { giveBack, giveBackBlock } from './block/give-back.ts';
export { StringTable } from './block/string-table.ts';
export { mergeRows, rowsOfBlock, seriesOfRows } from './block/batch-rows.ts';
export type { BatchRows, SeriesWithStrings } from './block/batch-rows.ts';
export { InternedTables } from './block/tables/interned-tables.ts';
export { selectProfiles } from './block/select-profiles.ts';
export { selectSamples } from './block/select-samples.ts';
export { foldKinds } from './meaning/fold-kinds.ts';
export { kindOfType } from './meaning/kind-of-type.ts';
export { Durations, partBetween, partInRange, type TimeRangeMs } from './meaning/spread.ts';
export { withMeaning } from './meaning/with-meaning.ts';
export { mergeBlocks, hasTotalsOnly } from './block/merge-blocks.ts';
export { encodeBlock } from './block/encode-block.ts';
export { withOrigin } from './block/with-origin.ts';
export { decodeBlock, type DecodeBlockOptions } from './block/decode-block.ts';
export { readBlock, readFooter, type ReadBlockOptions } from './block/read-block.ts';
export { measureTables, type ColumnSize, type TableSize } from './block/measure-tables.ts';
export { bytesSource, type RangeSource } from './block/range-source.ts';
export { validateBlock, type ValidateBlockOptions } from './block/validate-block.ts';
export { findDatasets, serviceOf, type DatasetRange } from './block/datasets.ts';
export { BLOCK_LIMITS, type BlockLimits } from './block/limits.ts';
export { crc32c } from './block/container/crc32c.ts';
export { compareStrings } from './block/tables/compare-strings.ts';
export * from './projection/flame-table.ts';
export { parseSelector } from './selector/parse-selector.ts';
export { formatSelector } from './selector/format-selector.ts';
export { completeSelector } from './selector/complete-selector.ts';
export type { SelectorCompletion } from './selector/complete-selector.ts';
export { createMatcher, MATCHER_OPS } from './selector/matcher.ts';
export type { Matcher, MatcherOp } from './selector/matcher.ts';
export { quoteName, quoteValue } from './selector/quote.ts';
export { selectorMatches } from './selector/selector.ts';
export type { Selector } from './selector/selector.ts';
export { SelectorSyntaxError } from './selector/selector-syntax-error.ts';
export { SELECTOR_LIMITS } from './selector/limits.ts';
export { formatProfileType, parseProfileType, PROFILE_TYPE_MAX_LENGTH } from './profile-type/profile-type.ts';
export type { ProfileType } from './profile-type/profile-type.ts';
export { canBeNegative, isCpuTime, nanosecondsPerUnit, unitFactor } from './profile-type/units.ts';
export { valueOfSample } from './profile-type/value-of-sample.ts';
export { scaleValues, type SeriesScale } from './block/scale-values.ts';
export {
  amountOf,
  cores,
  formatAmount,
  isCores,
  shownUnit,
  threeDigits,
  type Amount,
  type Quantity,
} from './quantity/quantity.ts';
export { groupProfileTypes, resolveProfileType, typeFactor } from './profile-type/resolve-profile-type.ts';
export type { PresentType, ResolvedType, TypeGroup } from './profile-type/resolve-profile-type.ts';
export { encodeFlameTable, FLAME_TABLE_KIND, FLAME_TABLE_VERSION } from './projection/flame-table-encode.ts';
export { decodeFlameTable } from './projection/flame-table-decode.ts';
export { flameTableFromFolded } from './projection/flame-table-from-folded.ts';
export { FLAME_TREE_MAX_DEPTH, FLAME_TREE_MAX_NODES, FlameTree } from './projection/flame-tree.ts';
export type { FlameTreeOptions, TreeNode } from './projection/flame-tree.ts';
export { FrameInterner, ROOT_FRAME_NAME } from './projection/frame-interner.ts';
export { layoutFlameTree, layoutFlameTreeInSteps } from './projection/flame-layout.ts';
export type { FlameLayout, FlameLayoutOptions } from './projection/flame-layout.ts';
export { topFunctions } from './projection/top-functions.ts';
export type { TopFunction, TopTable } from './projection/top-functions.ts';
export {
  labelValue,
  sampleRanges,
  selectSeries,
  seriesFingerprint,
  seriesWithSamples,
} from './projection/sample-selection.ts';
export type { SampleSelection } from './projection/sample-selection.ts';
export { bucketName, bucketOfName, labelBucket, MAX_LABEL_BUCKETS } from './projection/label-bucket.ts';
export { sumStacks, touchedStacks } from './projection/stack-sums.ts';
export type { GroupSums, StackSums } from './projection/stack-sums.ts';
export {
  buildIdsToSymbolize,
  addressHalves,
  symbolizeLocation,
  symbolizeNothing,
  UNNAMED_REASONS,
} from './projection/symbolize.ts';
export type { Symbolize, SymbolLine, UnnamedReason } from './projection/symbolize.ts';
export { baseName, LocationFrames, type UnnamedSelf } from './projection/block-frames.ts';
export { FlameBuilder, missingLabelName, type FlameBuilderOptions } from './projection/flame-builder.ts';
export { binarySums, type BinarySums } from './projection/binary-sums.ts';
export { unnamedAdvice, type UnnamedAdvice, type UnnamedFrames } from './projection/unnamed-advice.ts';
export { FunctionLines } from './projection/function-lines.ts';
export type { FunctionBuild, FunctionLine, FunctionName } from './projection/function-lines.ts';
export type { StoppedStacks } from './projection/stopped-stacks.ts';
export { SeriesBuilder } from './projection/series-builder.ts';
export { visibleJson, visibleLines, visibleText } from './text/visible-text.ts';
export { liveRangeStartMs, seriesStepMs } from './projection/series-step.ts';
export type { SeriesGroup, SeriesOptions } from './projection/series-builder.ts';
export { decodePprof, decodePprofRows } from './formats/pprof/decode-pprof.ts';
export type { DecodePprofOptions } from './formats/pprof/decode-pprof.ts';
export type { DecodedProfile, DecodedRows, DecodeProfileOptions } from './formats/decoded-profile.ts';
export { decodeProfile, decodeProfileRows } from './formats/decode-profile.ts';
export type { DecodeAnyOptions, DecodedFile, DecodedFileRows } from './formats/decode-profile.ts';
export { FORMAT_NAMES, isFormatName } from './formats/format-name.ts';
export type { FormatName } from './formats/format-name.ts';
export { IMPORT_LIMITS } from './formats/limits.ts';
export type { ImportLimits } from './formats/limits.ts';
export { IMPORT_CHANGES } from './formats/import-changes.ts';
export type { ImportChange, ImportChangeCode } from './formats/import-changes.ts';
export { encodePprof } from './formats/pprof/encode-pprof.ts';
export type { EncodePprofOptions } from './formats/pprof/encode-pprof.ts';
export { PPROF_LIMITS } from './formats/pprof/limits.ts';
export type { PprofLimits } from './formats/pprof/limits.ts';
export { NUMERIC_LABELS } from './formats/pprof/numeric-labels.ts';
export { decodeFolded } from './formats/folded/decode-folded.ts';
export type { DecodeFoldedOptions } from './formats/folded/decode-folded.ts';
export { encodeFolded } from './formats/folded/encode-folded.ts';
export type { EncodeFoldedOptions } from './formats/folded/encode-folded.ts';
export { encodeCpuprofile, type EncodeCpuprofileOptions } from './formats/cpuprofile/encode-cpuprofile.ts';
export { encodeSpeedscope, type EncodeSpeedscopeOptions } from './formats/speedscope/encode-speedscope.ts';
export { FOLDED_LIMITS } from './formats/folded/limits.ts';
export { lossKind, type LossKind } from './block/loss.ts';
export {
  STOPPED_MAPPING_FILE,
  STOPPED_REASONS,
  stoppedFrameName,
  stoppedHelp,
  stoppedReasonOf,
  type StoppedReason,
} from './block/stopped-stacks.ts';
export { binaryFamily, comparisonName } from './compare/comparison-name.ts';
export { MATCH_MODES, type MatchMode } from './compare/frame-matcher.ts';
export { HOST_BUCKETS } from './compare/host-units.ts';
export { compareTrees, pathOfNode } from './compare/compared-tree.ts';
export type { ComparedProfile, ComparedTree, SideSums } from './compare/compared-tree.ts';
export { compareProfiles, NORMALISATIONS } from './compare/compare-profiles.ts';
export type {
  Basis,
  CompareOptions,
  Comparison,
  FunctionDelta,
  Per,
  Presence,
  Significance,
} from './compare/compare-profiles.ts';
export { intervalOf, samplesNeeded, smallestChange } from './compare/interval.ts';
export { stoppedValue, unnamedSelf } from './compare/side-facts.ts';
export { comparabilityWarnings, isWhole, type SideFacts } from './compare/comparability.ts';
export { perhapsRenamed, type PerhapsRenamed } from './compare/perhaps-renamed.ts';
export { pruneComparison, type PrunedComparison } from './compare/prune-comparison.ts';
export { parseCondition, type Bound, type Condition } from './compare/gate/condition.ts';
export { encodeFoldedComparison } from './compare/encode-folded-comparison.ts';
export { judge, type GateFailure, type GateResult } from './compare/gate/gate.ts';

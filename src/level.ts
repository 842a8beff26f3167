/**
 * Siltstone behind the interface of Level: a drop-in for classic-level, and the way over from it.
 *
 * @packageDocumentation
 */

export type { Sum } from './faces/import/entry-digest.js'
export {
  type ImportLevelOptions,
  type ImportProgress,
  type ImportReport,
  importLevel,
} from './faces/import/import-level.js'
export type { LevelEntries, LevelSource } from './faces/import/level-source.js'
export { SiltstoneLevel, storeOf } from './faces/level/level.js'
export type { LevelChainedBatch } from './faces/level/level-chained-batch.js'
export type { LevelError } from './faces/level/level-error.js'
export type {
  AdditionalIteratorOptions,
  BatchOptions,
  ChainedBatchWriteOptions,
  DatabaseOptions,
  DelOptions,
  GetManyOptions,
  GetOptions,
  HasManyOptions,
  HasOptions,
  IteratorOptions,
  KeyIteratorOptions,
  OpenOptions,
  PutOptions,
  SiltstoneOptions,
  StartEndOptions,
  ValueIteratorOptions,
} from './faces/level/level-options.js'

/**
 * Siltstone behind the interface of Level: a drop-in for classic-level.
 *
 * @packageDocumentation
 */

export { SiltstoneLevel } from './faces/level/level.js'
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

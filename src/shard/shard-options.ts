import { resolve } from 'node:path'
import { invalid } from '../bytes/errors.js'
import type { FileSystem } from '../fs/file-system.js'
import { describe } from '../store/encoding.js'
import { checkNames } from '../store/option-names.js'
import type { OpenOptions } from '../store/options.js'
import type { PlacementName } from './placement/placement.js'

/** A shard as `openSharded` and `addShard` take it. */
export interface ShardSpec {
  /** What it is called. */
  name: string
  /** Its share of the keys, relative to the others (default 1). */
  weight?: number
  /** Where it is; by default in a folder of its name inside the store's. */
  path?: string
  /** Makes it a sharded store of its own. */
  sharded?: ShardingOptions
}

/** How a store is dealt out over shards. These count when the store is made. */
export interface ShardingOptions {
  /** Their names, or what is to be said of them beside. */
  shards?: readonly (string | ShardSpec)[]
  /** How keys find their shard (default 'ring'). */
  placement?: PlacementName
  /** For 'ring' and 'directory': points on the ring for a weight of 1 (default 160). */
  vnodes?: number
  /** For 'range': the keys at which it is cut, in order; one fewer than shards. */
  splits?: readonly (string | Uint8Array)[]
}

/** What `openSharded` takes: what `open` takes, for every shard, and how it is dealt out. */
export interface ShardedOptions<K = string, V = string> extends Omit<OpenOptions<K, V>, 'readOnly'>, ShardingOptions {
  /** Each shard in a worker thread of its own (default false): several cores, at 60 us for a call on this thread. */
  threads?: boolean
  /** How fast keys are moved at most when shards come and go (default 32 MiB a second); Infinity: as fast as it goes. */
  moveBytesPerSecond?: number
}

// What a folder can be called everywhere; a leading dot is the store's own.
export const SHARD_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/

export function resolveSpec(given: string | ShardSpec, fs: FileSystem): ShardSpec {
  const spec = typeof given === 'string' ? { name: given } : given
  if (typeof spec !== 'object' || spec === null)
    throw invalid(`A shard is a name or { name, weight, path }, not ${describe(given)}`)
  checkNames(spec, ['name', 'weight', 'path', 'sharded'], 'a shard')
  const { name, path } = spec
  if (typeof name !== 'string' || !SHARD_NAME.test(name)) {
    throw invalid(`The name of a shard is made of up to 64 letters, digits, '_', '-' and '.', not ${describe(name)}`)
  }
  if (path === undefined) return spec
  if (typeof path !== 'string' || path === '')
    throw invalid(`The path of shard '${name}' must be a text, not ${describe(path)}`)
  return { ...spec, path: fs.name === 'disk' ? resolve(path) : path }
}

export function resolveSpecs(shards: unknown, fs: FileSystem): ShardSpec[] {
  if (!Array.isArray(shards) || shards.length === 0) throw invalid('Option shards must be a list of at least one shard')
  const specs = shards.map((each) => resolveSpec(each, fs))
  const names = new Set(specs.map(({ name }) => name))
  if (names.size < specs.length) throw invalid('Option shards names a shard twice')
  return specs
}

import type { ShardGroup } from './shard-group.js'

/** One shard's share of keys, bytes and work. */
export interface ShardBalance {
  /** The shard. */
  readonly name: string
  /** The share that it should have, relative to the others. */
  readonly weight: number
  /** Counted up to some thousands; beyond, estimated from tables and memtables: what was overwritten and not merged yet counts twice. */
  readonly keys: number
  /** About, on disk and in the log. */
  readonly bytes: number
  /** Keys read by name since the store was opened. */
  readonly reads: number
  /** Operations written since the store was opened. */
  readonly writes: number
}

/** How evenly keys and work are dealt out. */
export interface Balance {
  /** Every shard with its share. */
  readonly shards: readonly ShardBalance[]
  /** Keys for each unit of weight on the fullest shard, relative to the mean; 1 is even. */
  readonly maxOverMean: number
  /** The shard that was read and written most for its weight; `undefined` before anything was. */
  readonly hottest: string | undefined
}

export function balanceOf(group: ShardGroup): Balance {
  const { placement, target } = group.ownership
  const weights = new Map([...placement.shards, ...(target?.shards ?? [])].map(({ name, weight }) => [name, weight]))
  const shards = [...weights].map(([name, weight]) => ({
    name,
    weight,
    ...group.shard(name).figures(),
    ...group.load(name),
  }))
  const totalWeight = shards.reduce((sum, { weight }) => sum + weight, 0)
  const mean = shards.reduce((sum, { keys }) => sum + keys, 0) / totalWeight
  const fullest = Math.max(...shards.map(({ keys, weight }) => keys / weight))
  const load = ({ reads, writes, weight }: ShardBalance): number => (reads + writes) / weight
  const hottest = shards.reduce((a, b) => (load(b) > load(a) ? b : a))
  return { shards, maxOverMean: mean === 0 ? 1 : fullest / mean, hottest: load(hottest) > 0 ? hottest.name : undefined }
}

import type { PlacedShard, Placement } from './placement/placement.js'
import type { ShardGroup } from './shard-group.js'

/** What a rebalance moves, or would. Shares come from a sample of the keys. */
export interface RebalancePlan {
  /** The epoch of the directory while it lasts. */
  readonly epoch: number
  /** The shards before it. */
  readonly before: readonly PlacedShard[]
  /** The shards after it. */
  readonly after: readonly PlacedShard[]
  /** The share of all keys that changes its shard, from 0 to 1. */
  readonly movedShare: number
  /** From which shard to which, as shares of all keys. */
  readonly moves: readonly { readonly from: string; readonly to: string; readonly share: number }[]
  /** Keys that were moved; of a dry run, 0. */
  readonly keysMoved: number
  /** Bytes of their keys and values. */
  readonly bytesMoved: number
}

/** Shares are good to about a hundredth of themselves. */
const SAMPLE_KEYS = 20_000
/** So many are looked at in one go: less than a millisecond. */
const SLICE_KEYS = 256

/** Works out what a change moves, on the keys that are there, or on made-up ones in an empty store. */
export async function planOf(
  group: ShardGroup,
  before: Placement,
  after: Placement,
  epoch: number,
): Promise<RebalancePlan> {
  const counts = new Map<string, { from: string; to: string; keys: number }>()
  let sampled = 0
  for (const key of await sampleKeys(group)) {
    // A turn of the loop for others after every slice: all at once took 150 ms.
    if (++sampled % SLICE_KEYS === 0) await new Promise((resolve) => setImmediate(resolve))
    const from = before.shards[before.ownerOf(key, 0, key.length)]!.name
    const to = after.shards[after.ownerOf(key, 0, key.length)]!.name
    if (from === to) continue
    const way = `${from} ${to}`
    const count = counts.get(way) ?? { from, to, keys: 0 }
    count.keys++
    counts.set(way, count)
  }
  const moves = [...counts.values()].map(({ from, to, keys }) => ({ from, to, share: keys / sampled }))
  return {
    epoch,
    before: before.shards,
    after: after.shards,
    movedShare: moves.reduce((sum, { share }) => sum + share, 0),
    moves,
    keysMoved: 0,
    bytesMoved: 0,
  }
}

/** The first keys of every shard; hashing makes them as good as any. */
async function sampleKeys(group: ShardGroup): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  const query = { range: { start: new Uint8Array(0), end: undefined }, reverse: false, keysOnly: true }
  for (const space of group.spaces()) {
    const scan = group.scan(space, { ...query, limit: SAMPLE_KEYS })
    try {
      while (keys.length < SAMPLE_KEYS) {
        const slice = await scan.nextMany(Math.min(SLICE_KEYS, SAMPLE_KEYS - keys.length))
        for (const { key } of slice) keys.push(key)
        if (slice.length < SLICE_KEYS) break
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      scan.close()
    }
  }
  if (keys.length > 0) return keys
  return Array.from({ length: SAMPLE_KEYS }, (_, i) => Buffer.from(`key ${i}`))
}

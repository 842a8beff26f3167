/** The strategies that come with the store. */
export type PlacementName = 'ring' | 'slots' | 'rendezvous' | 'jump' | 'range' | 'directory'

/** A shard as a placement knows it. */
export interface PlacedShard {
  /** What it is called. */
  readonly name: string
  /** Its share of the keys, relative to the others. */
  readonly weight: number
}

/** What `add` takes. */
export interface ShardPlaceOptions {
  /** Its share, relative to the others (default 1). */
  weight?: number
}

/** A placement as it is written down: enough to make the same one again. */
export interface PlacementState {
  /** Which strategy it is. */
  readonly kind: PlacementName
  /** What shifts its hashes. */
  readonly seed: number
  /** In the order in which they came. */
  readonly shards: readonly PlacedShard[]
  /** What the strategy keeps besides: points on the ring, a table of slots, split points, assignments. */
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * Decides which shard a key stands on. Whatever changes (shards, weights, assignments) changes at once and only here: moving
 * the data is not a placement's business. `test/shard/placement/conformance.ts` holds all implementations to this.
 */
export interface Placement {
  /** Which strategy it is. */
  readonly kind: PlacementName
  /** In the order in which they came; `ownerOf` answers with places in this list. */
  readonly shards: readonly PlacedShard[]
  /** A shard more, which takes its share from the others. */
  add(name: string, options?: ShardPlaceOptions): void
  /** A shard less; the others take its keys. */
  remove(name: string): void
  /** Another share for a shard. */
  reweight(name: string, weight: number): void
  /** The name of the shard on which a key stands; a '{tag}' in the key decides alone. */
  locate(key: string | Uint8Array): string
  /** The same for a range of bytes, as a place in `shards`. Requires: at least one shard. */
  ownerOf(bytes: Uint8Array, start: number, end: number): number
  /** The owner and the shards that come next for this key, each once; fewer where there are not so many. */
  replicas(key: string | Uint8Array, count: number): string[]
  /** An independent one that decides the same. */
  copy(): Placement
  /** What is to be written down to make the same one again. */
  state(): PlacementState
}

import { invalid } from '../../bytes/errors.js'
import { BasePlacement } from './base-placement.js'
import { mix32 } from './key-hash.js'
import type { PlacedShard } from './placement.js'

/**
 * Jump consistent hashing (Lamping and Veach): no table at all, the best balance, and one more shard takes exactly its share.
 * Shards are numbers, so they have no weights, and only the last one can go for its share alone. When another one goes, the
 * last takes its place: two shares move instead of nearly everything, which closing the gap would cost.
 */
export class Jump extends BasePlacement {
  readonly kind = 'jump'

  /** `seed` shifts all hashes. */
  constructor(options: { seed?: number } = {}) {
    super(options.seed)
  }

  copy(): Jump {
    const copy = new Jump({ seed: this.seed })
    copy.replace(this.shards)
    return copy
  }

  protected rebuild(): void {}

  protected override without(name: string): PlacedShard[] {
    const shards = [...this.shards]
    const last = shards.pop()!
    return last.name === name ? shards : shards.map((shard) => (shard.name === name ? last : shard))
  }

  protected override checkWeight(name: string, weight: number): void {
    super.checkWeight(name, weight)
    if (weight !== 1) throw invalid(`Placement 'jump' knows no weights, so shard '${name}' cannot have ${weight}`)
  }

  /** A walk from bucket to bucket, each jump as far as chance takes it; log2(shards) steps on average. */
  protected ownerOfPlace(bytes: Uint8Array, start: number, end: number): number {
    const count = this.shards.length
    let state = this.hash(bytes, start, end)
    let bucket = 0
    for (let next = 0; next < count; ) {
      bucket = next
      state = (state + 0x9e3779b9) | 0
      next = Math.floor((bucket + 1) / ((mix32(state) + 1) / 2 ** 32))
    }
    return bucket
  }

  protected details(): Record<string, unknown> {
    return {}
  }
}

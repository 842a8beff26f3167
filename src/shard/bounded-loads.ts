import { invalid } from '../bytes/errors.js'
import type { Placement } from './placement/placement.js'

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam): hands out work, such as partitions to consumers, so that
 * nobody has more than `factor` times the mean, however few and however unevenly hashed the pieces are. What does not fit goes to
 * the next shard in the piece's own order, so little changes when shards do.
 *
 * @example
 * const ring = new Ring()
 * for (const name of ['consumer-1', 'consumer-2']) ring.add(name)
 * const loads = new BoundedLoads(ring)
 * loads.assign(['partition-0', 'partition-1']) // one each
 */
export class BoundedLoads {
  private readonly placement: Placement
  private readonly factor: number

  /** Over a placement. `factor` is what a shard may have of the mean (default 1.25). */
  constructor(placement: Placement, options: { factor?: number } = {}) {
    const { factor = 1.25 } = options
    if (!(factor >= 1 && Number.isFinite(factor))) throw invalid(`Option factor must be a number from 1, not ${factor}`)
    this.placement = placement
    this.factor = factor
  }

  /** Which shard each piece goes to. The same pieces and shards give the same answer, in whatever order they come. */
  assign(pieces: readonly string[]): Map<string, string> {
    const { shards } = this.placement
    const total = shards.reduce((sum, { weight }) => sum + weight, 0)
    const room = new Map(
      shards.map(({ name, weight }) => [name, Math.ceil((this.factor * pieces.length * weight) / total)]),
    )
    const assigned = new Map<string, string>()
    for (const piece of [...pieces].sort()) {
      const name = this.placement.replicas(piece, shards.length).find((each) => room.get(each)! > 0)!
      room.set(name, room.get(name)! - 1)
      assigned.set(piece, name)
    }
    return assigned
  }
}

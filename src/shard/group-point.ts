import { GroupReads } from './group-reads.js'
import type { Ownership } from './ownership.js'
import type { ShardPoint, ShardReads } from './shard.js'

/** One moment of all shards, with the ownership of that moment: what moves later is read where it stood. */
export class GroupPoint extends GroupReads implements ShardPoint {
  protected readonly ownership: Ownership
  private readonly points: ReadonlyMap<string, ShardPoint>
  private readonly release: () => void
  private open = true

  constructor(ownership: Ownership, points: ReadonlyMap<string, ShardPoint>, release: () => void) {
    super()
    this.ownership = ownership
    this.points = points
    this.release = release
  }

  close(): void {
    if (!this.open) return
    this.open = false
    for (const point of this.points.values()) point.close()
    this.release()
  }

  protected readsOf(name: string): ShardReads {
    return this.points.get(name)!
  }

  protected names(): readonly string[] {
    return [...this.points.keys()]
  }

  protected cut(): void {
    // It was made at one moment.
  }

  protected hold(): () => void {
    return () => {}
  }
}

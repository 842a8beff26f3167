import { compareKeys } from '../bytes/compare.js'
import type { KeyRange } from '../tree/key-range.js'
import { rangeHasOneTag } from './hash-tag.js'
import type { Placement } from './placement/placement.js'

/** How far a move has come: everything before it, in the order of keyspaces and keys, stands where the target says. */
export interface Frontier {
  readonly space: string
  /** Up to, but without, this key; `undefined`: the whole keyspace. */
  readonly upTo: Uint8Array | undefined
}

/**
 * Who owns which key at one moment. It never changes; a step of a move makes a new one, so a scan or a snapshot keeps what it
 * began with. At every moment each key has exactly one owner: the placement says which, and while keys move, the target says it
 * for those before the frontier.
 */
export class Ownership {
  readonly placement: Placement
  readonly target: Placement | undefined
  readonly frontier: Frontier | undefined

  constructor(placement: Placement, target?: Placement, frontier?: Frontier) {
    this.placement = placement
    this.target = target
    this.frontier = frontier
  }

  /** Whether shards may hold copies that are not theirs to show. */
  get isMoving(): boolean {
    return this.target !== undefined
  }

  ownerOf(space: string, key: Uint8Array): string {
    const placement = this.target !== undefined && this.hasPassed(space, key) ? this.target : this.placement
    return placement.shards[placement.ownerOf(key, 0, key.length)]!.name
  }

  /** The one owner of all keys of a range, where there is one for certain. */
  ownerOfRange(space: string, range: KeyRange): string | undefined {
    if (this.target === undefined && this.placement.shards.length === 1) return this.placement.shards[0]!.name
    if (!rangeHasOneTag(range.start, range.end)) return undefined
    if (this.target === undefined) return this.ownerOf(space, range.start)
    const before = this.placement.shards[this.placement.ownerOf(range.start, 0, range.start.length)]!.name
    const after = this.target.shards[this.target.ownerOf(range.start, 0, range.start.length)]!.name
    return before === after ? before : undefined
  }

  /** Where a key is to go; `undefined` where it stays. Requires: a target, and a key beyond the frontier. */
  destinationOf(key: Uint8Array): { from: string; to: string } | undefined {
    const from = this.placement.shards[this.placement.ownerOf(key, 0, key.length)]!.name
    const to = this.target!.shards[this.target!.ownerOf(key, 0, key.length)]!.name
    return from === to ? undefined : { from, to }
  }

  private hasPassed(space: string, key: Uint8Array): boolean {
    const { frontier } = this
    if (frontier === undefined || space > frontier.space) return false
    if (space < frontier.space || frontier.upTo === undefined) return true
    return compareKeys(key, frontier.upTo) < 0
  }
}

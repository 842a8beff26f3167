import { invalid } from '../../bytes/errors.js'
import { describe } from '../../store/encoding.js'
import { findTag, type Tagged } from '../hash-tag.js'
import { keyHash, mix32 } from './key-hash.js'
import type { PlacedShard, Placement, PlacementName, PlacementState, ShardPlaceOptions } from './placement.js'

const encoder = new TextEncoder()
const tagged: Tagged = { start: 0, end: 0 }

// Names hash with a seed of their own, so that a key that is called like a point of the ring does not sit on it.
const NAME_SEED = 0x51175704

/** What all placements share: the list of shards, the tag in a key, and ranks by rendezvous where a strategy has none. */
export abstract class BasePlacement implements Placement {
  abstract readonly kind: PlacementName
  /** Of the store, so that a store inside a shard deals its keys out differently from the one around it. */
  readonly seed: number
  private members: readonly PlacedShard[] = []
  private nameHashes: number[] = []

  constructor(seed = 0) {
    this.seed = seed >>> 0
  }

  get shards(): readonly PlacedShard[] {
    return this.members
  }

  add(name: string, options: ShardPlaceOptions = {}): void {
    const weight = options.weight ?? 1
    if (typeof name !== 'string' || name === '') throw invalid(`A shard needs a name, not ${describe(name)}`)
    if (this.members.some((shard) => shard.name === name)) throw invalid(`There is a shard '${name}' already`)
    this.checkWeight(name, weight)
    this.replace([...this.members, { name, weight }])
  }

  remove(name: string): void {
    this.indexOf(name)
    this.replace(this.without(name))
  }

  reweight(name: string, weight: number): void {
    const at = this.indexOf(name)
    this.checkWeight(name, weight)
    this.replace(this.members.with(at, { name, weight }))
  }

  locate(key: string | Uint8Array): string {
    if (this.members.length === 0) throw invalid('There is no shard yet; add one first')
    const bytes = bytesOf(key)
    return this.members[this.ownerOf(bytes, 0, bytes.length)]!.name
  }

  ownerOf(bytes: Uint8Array, start: number, end: number): number {
    findTag(bytes, start, end, tagged)
    return this.ownerOfPlace(bytes, tagged.start, tagged.end)
  }

  replicas(key: string | Uint8Array, count: number): string[] {
    if (!Number.isInteger(count) || count < 0)
      throw invalid(`The number of replicas must be a whole number, not ${count}`)
    if (this.members.length === 0) throw invalid('There is no shard yet; add one first')
    const bytes = bytesOf(key)
    findTag(bytes, 0, bytes.length, tagged)
    const { start, end } = tagged
    const owner = this.ownerOfPlace(bytes, start, end)
    return this.ranked(bytes, start, end, owner)
      .slice(0, count)
      .map((index) => this.members[index]!.name)
  }

  abstract copy(): Placement

  state(): PlacementState {
    return { kind: this.kind, seed: this.seed, shards: this.members, details: this.details() }
  }

  /** Where the part of a key that counts stands: its tag, or all of it. */
  protected abstract ownerOfPlace(bytes: Uint8Array, start: number, end: number): number

  /** Derives from the new list what lookups need. */
  protected abstract rebuild(before: readonly PlacedShard[]): void

  protected abstract details(): Record<string, unknown>

  /** The shards by preference, the owner first: the others by rendezvous, unless the strategy knows an order. */
  protected ranked(bytes: Uint8Array, start: number, end: number, owner: number): number[] {
    const hash = this.hash(bytes, start, end)
    const others = this.members.map((_, i) => i).filter((i) => i !== owner)
    return [owner, ...others.sort((a, b) => this.score(hash, b) - this.score(hash, a))]
  }

  /** The list after a shard has gone. */
  protected without(name: string): PlacedShard[] {
    return this.members.filter((shard) => shard.name !== name)
  }

  protected checkWeight(name: string, weight: number): void {
    if (typeof weight === 'number' && Number.isFinite(weight) && weight > 0) return
    const instead = weight === 0 ? '; to take all keys from it, remove the shard' : ''
    throw invalid(`The weight of shard '${name}' must be a number above 0, not ${describe(weight)}${instead}`)
  }

  protected replace(members: readonly PlacedShard[]): void {
    const before = this.members
    this.adopt(members)
    this.rebuild(before)
  }

  /** Takes a list over for which everything is derived already. */
  protected adopt(members: readonly PlacedShard[]): void {
    this.members = Object.freeze([...members])
    this.nameHashes = members.map(({ name }) => hashText(name, NAME_SEED))
  }

  protected hash(bytes: Uint8Array, start: number, end: number): number {
    return keyHash(bytes, start, end, this.seed)
  }

  /** How much a shard wants a hash: the highest wins. A weight of two wins twice as often as one of one. */
  protected score(hash: number, index: number): number {
    const draw = (mix32(hash ^ this.nameHashes[index]!) + 0.5) / 2 ** 32
    return -this.members[index]!.weight / Math.log(draw)
  }

  /** The place of a shard in `shards`; refuses a name that is not there. */
  indexOf(name: string): number {
    const at = this.members.findIndex((shard) => shard.name === name)
    if (at >= 0) return at
    const known = this.members.map((shard) => shard.name).join("', '")
    throw invalid(`There is no shard ${describe(name)}; there are '${known}'`)
  }
}

export function bytesOf(key: string | Uint8Array): Uint8Array {
  if (typeof key === 'string') return encoder.encode(key)
  if (key instanceof Uint8Array) return key
  throw invalid(`A key to locate must be a string or bytes, not ${describe(key)}`)
}

export function hashText(text: string, seed: number): number {
  const bytes = encoder.encode(text)
  return keyHash(bytes, 0, bytes.length, seed)
}

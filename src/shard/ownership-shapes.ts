import {
  anything,
  finite,
  listOf,
  mapOf,
  oneOf,
  orNull,
  record,
  type Shape,
  text,
  truth,
  whole,
} from '../bytes/shape.js'
import { restorePlacement } from './placement/make-placement.js'
import type { PlacementState } from './placement/placement.js'
import { SHARD_NAME } from './shard-options.js'

/*
 * What the records of the directory of ownership have to be (ownership-directory.ts), before anything is opened, moved or destroyed for
 * what they say.
 */

const details: Readonly<Record<PlacementState['kind'], Shape>> = {
  ring: record({ vnodes: whole(1) }),
  slots: record({ table: text, version: whole() }),
  rendezvous: record({}),
  jump: record({}),
  range: record({ splits: listOf(text), owners: listOf(text, 1) }),
  directory: record({ vnodes: whole(1), assignments: listOf(listOf(text, 2)) }),
}

const placementFields = record({
  kind: oneOf(...Object.keys(details)),
  seed: whole(),
  shards: listOf(record({ name: text, weight: finite }), 1),
  details: record({}),
})

/** A placement that can be made again, and that has a shard for every key. */
const placement: Shape = (value, what) => {
  placementFields(value, what)
  const state = value as PlacementState
  details[state.kind](state.details, `details of ${what}`)
  const names = new Set(state.shards.map(({ name }) => name))
  if (names.size < state.shards.length) throw new Error(`${what} has two shards of one name`)
  for (const owner of ownersIn(state)) if (!names.has(owner)) throw new Error(`${what} names a shard that is not there`)
  restorePlacement(state)
}

function ownersIn({ kind, shards, details: { owners, splits, assignments, table } }: PlacementState): string[] {
  if (kind === 'range') {
    if ((owners as string[]).length !== (splits as string[]).length + 1)
      throw new Error('ranges and owners do not match')
    return owners as string[]
  }
  if (kind === 'directory') return (assignments as [string, string][]).map(([, owner]) => owner)
  if (kind !== 'slots') return []
  const bytes = Buffer.from(table as string, 'base64')
  const places = new Set<number>()
  for (let at = 0; at + 2 <= bytes.length; at += 2) places.add(bytes.readUInt16LE(at))
  return [...places].map((place) => shards[place]?.name ?? '')
}

const shardName: Shape = (value, what) => {
  if (typeof value !== 'string' || !SHARD_NAME.test(value)) throw new Error(`${what} is no name of a shard`)
}

const place = record({ name: shardName }, { path: filePath, nested: anything })
const places = listOf(place)

function filePath(value: unknown, what: string): void {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw new Error(`${what} is no path`)
}

const layoutFields = record(
  {
    format: whole(1),
    store: text,
    epoch: whole(),
    made: truth,
    placement,
    shards: listOf(place, 1),
    retired: places,
  },
  { emptying: places },
)

/** A layout in which every shard that owns keys has its place. */
export const layoutShape: Shape = (value, what) => {
  layoutFields(value, what)
  const { placement: placed, shards } = value as { placement: PlacementState; shards: { name: string }[] }
  const names = new Set(shards.map(({ name }) => name))
  if (names.size < shards.length) throw new Error(`${what} has two places for one shard`)
  for (const { name } of placed.shards)
    if (!names.has(name)) throw new Error(`${what} has no place for shard '${name}'`)
}

export const planShape = record({ epoch: whole(), target: placement, joining: places, leaving: listOf(text) })

export const progressShape = record({
  frontier: orNull(record({ space: text, upTo: orNull(text) })),
  unclean: orNull(record({ space: text, from: text, to: orNull(text) })),
  keysScanned: whole(),
  keysMoved: whole(),
  bytesMoved: whole(),
})

export const mailShape = record({
  former: listOf(record({ placement, drained: mapOf(listOf(text)) })),
  topics: mapOf(placement),
  logs: mapOf(text),
})

export const markShape = record({ store: text, name: text, epoch: whole() })

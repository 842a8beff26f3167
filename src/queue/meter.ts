import { assert } from '../bytes/errors.js'
import { getU16, putU16, putVarint } from '../bytes/integers.js'
import { mapOf, whole } from '../bytes/shape.js'
import { getText, putText, textByteBound } from '../bytes/text.js'
import { believed, EntryReader, parsedJson, senseless } from './stored-bytes.js'

/*
 * The figures of a queue or a subscription, written with every commit that changes them but one: a message that is only appended
 * to its lane is its own proof, and costs one operation. Never to change within format version 1.
 *
 *   lanes   u16 how many, then for each: u16 priority, and as varints its cursor, the bytes before it, the offset and the bytes
 *           behind its last message, and the first offset that is still needed
 *   tally   u16 how many, then varints in the order of `FIGURES`; those that a later version adds stand behind them
 *   deaths  JSON: how many messages here died in which queue
 */

const FIGURES = [
  'asideNumber',
  'asideCount',
  'asideBytes',
  'asideSent',
  'fence',
  'received',
  'acked',
  'redelivered',
  'expired',
  'duplicates',
  'dropped',
  'deadLettered',
  'purged',
  'scheduledFrom',
  'retriesFrom',
  'time',
  'wall',
  'backlogCount',
  'backlogBytes',
] as const

type Figure = (typeof FIGURES)[number]

/** What is counted, each from the making of the queue on. */
export type Tally = Record<Figure, number> & {
  /** How many messages here died in which queue. Replaced, never changed. */
  deaths: Readonly<Record<string, number>>
}

export function emptyTally(): Tally {
  const tally = { deaths: {} } as Tally
  for (const figure of FIGURES) tally[figure] = 0
  return tally
}

/** A lane as it is written down. */
export interface LaneFigures {
  readonly priority: number
  readonly cursor: number
  readonly passedBytes: number
  readonly next: number
  readonly totalBytes: number
  readonly low: number
}

const LONGEST_VARINT = 8
const LANE_BYTES = 2 + 5 * LONGEST_VARINT

let scratch = new Uint8Array(4096)

export function encodeMeter(lanes: readonly LaneFigures[], tally: Tally): Uint8Array {
  let deaths = ''
  for (const _ in tally.deaths) {
    deaths = JSON.stringify(tally.deaths)
    break
  }
  const bound = 4 + lanes.length * LANE_BYTES + FIGURES.length * LONGEST_VARINT + textByteBound(deaths)
  if (scratch.length < bound) scratch = new Uint8Array(bound * 2)
  const bytes = scratch
  putU16(bytes, 0, lanes.length)
  let at = 2
  for (const lane of lanes) {
    putU16(bytes, at, lane.priority)
    at = putVarint(bytes, at + 2, lane.cursor)
    at = putVarint(bytes, at, lane.passedBytes)
    at = putVarint(bytes, at, lane.next)
    at = putVarint(bytes, at, lane.totalBytes)
    at = putVarint(bytes, at, lane.low)
  }
  putU16(bytes, at, FIGURES.length)
  at += 2
  for (const figure of FIGURES) {
    assert(tally[figure] >= 0, 'nothing is counted below zero')
    at = putVarint(bytes, at, tally[figure])
  }
  at = putText(bytes, at, deaths)
  assert(at <= bound, 'figures take no more room than was made for them')
  return bytes.slice(0, at)
}

const METER = 'The figures of a queue'
const reader = new EntryReader(METER)
const deathsShape = mapOf(whole())

export function decodeMeter(bytes: Uint8Array): { lanes: LaneFigures[]; tally: Tally } {
  reader.begin(bytes, 2)
  const lanes: LaneFigures[] = []
  for (let left = getU16(bytes, 0); left > 0; left--) {
    const at = reader.skip(2)
    const lane: LaneFigures = {
      priority: (getU16(bytes, at) << 16) >> 16,
      cursor: reader.number(),
      passedBytes: reader.number(),
      next: reader.number(),
      totalBytes: reader.number(),
      low: reader.number(),
    }
    if (lane.low > lane.cursor || lane.passedBytes > lane.totalBytes)
      throw senseless(METER, at, 'a lane ends before it begins')
    lanes.push(lane)
  }
  const tally = emptyTally()
  const count = getU16(bytes, reader.skip(2))
  for (let i = 0; i < count; i++) {
    const value = reader.number()
    const figure = FIGURES[i]
    if (figure !== undefined) tally[figure] = value
  }
  const { at } = reader
  if (at < bytes.length) {
    tally.deaths = parsedJson(getText(bytes, at, bytes.length), METER, at)
    believed(METER, () => deathsShape(tally.deaths, 'the deaths'))
  }
  return { lanes, tally }
}

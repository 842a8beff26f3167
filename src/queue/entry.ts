import { getU16, getU32, getU64, putU16, putU32, putU64 } from '../bytes/integers.js'
import type { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import { ASIDE_LANE, laneOf } from './state-keys.js'
import { senseless } from './stored-bytes.js'

/*
 * What is remembered of a message that was handed out and is not gone, or that was passed over while its group was busy. Its key
 * says which message (state-keys.ts). Fixed, little-endian, never to change within format version 1.
 *
 *   0          4          12           20     24         26     27         35
 *   +----------+----------+------------+------+----------+------+----------+
 *   | attempts | sent at  | expires at | size | priority | kind | due      |
 *   | u32      | u64, ms  | u64, ms    | u32  | i16      | u8   | u64, ms  |
 *   +----------+----------+------------+------+----------+------+----------+
 *
 *   attempts   how often it was handed out, written before it is: one that kills its process is counted too
 *   kind       0: it stands in its lane; otherwise it was set aside, under this kind and due in state-keys.ts
 */

const ENTRY_BYTES = 35
/** More than that are counted as that many. */
export const MOST_ATTEMPTS = 0xffffffff

/** Where a message is on its way. */
export type EntryState = 'loose' | 'waiting' | 'in-flight' | 'gone'

/** A message that is under way: handed out, given back, or waiting for its group. */
export interface Entry {
  /** Undefined where it was set aside. */
  readonly lane: Lane<Entry> | undefined
  /** In its lane, or its number among those set aside. */
  readonly offset: number
  readonly kind: number
  readonly due: number
  readonly priority: number
  readonly sentAt: number
  readonly expiresAt: number
  readonly size: number
  /** What it must keep its order with, if anything. */
  order: string | undefined
  attempts: number
  state: EntryState
  /** Of the delivery under way; a receipt with another one is stale. */
  fence: number
  /** When the delivery under way is given up. */
  deadline: number
  /** Why the last delivery failed. */
  reason: string
  /** The message itself, where it is at hand. */
  stored: StoredMessage | undefined
  /** It stands in the tree as one that was passed over. */
  isBacklogged: boolean
  /** The id it was sent under, where that does not follow from its place and is at hand. */
  id: string
}

export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES)
  putU32(bytes, 0, Math.min(entry.attempts, MOST_ATTEMPTS))
  putU64(bytes, 4, entry.sentAt)
  putU64(bytes, 12, entry.expiresAt)
  putU32(bytes, 20, entry.size)
  putU16(bytes, 24, entry.priority)
  bytes[26] = entry.kind
  putU64(bytes, 27, entry.due)
  return bytes
}

export function decodeEntry(lane: Lane<Entry> | undefined, offset: number, bytes: Uint8Array): Entry {
  if (bytes.length < ENTRY_BYTES)
    throw senseless('What is remembered of a message', bytes.length, 'it ends in the middle')
  const due = getU64(bytes, 27)
  if (!Number.isSafeInteger(due)) throw senseless('What is remembered of a message', 27, 'it is due at no time')
  return {
    lane,
    offset,
    attempts: getU32(bytes, 0),
    sentAt: getU64(bytes, 4),
    expiresAt: getU64(bytes, 12),
    size: getU32(bytes, 20),
    priority: (getU16(bytes, 24) << 16) >> 16,
    kind: bytes[26]!,
    due,
    order: undefined,
    state: 'loose',
    fence: 0,
    deadline: 0,
    reason: 'its consumer died',
    stored: undefined,
    isBacklogged: false,
    id: '',
  }
}

/** The lane in its key. */
export function entryLane(entry: Entry): number {
  return entry.lane === undefined ? ASIDE_LANE : laneOf(entry.lane.priority)
}

/** Higher priorities first, then what was sent first. What stands in one lane was sent in its order, however the clock was set meanwhile. */
export function goesBefore(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  if (a.lane !== undefined && a.lane === b.lane) return a.offset < b.offset
  if (a.sentAt !== b.sentAt) return a.sentAt < b.sentAt
  return a.offset < b.offset
}

/** The entry of a message that nobody has been handed yet. */
export function newEntry(
  lane: Lane<Entry> | undefined,
  offset: number,
  kind: number,
  due: number,
  priority: number,
  message: StoredMessage,
): Entry {
  return {
    lane,
    offset,
    kind,
    due,
    priority,
    sentAt: message.sentAt,
    expiresAt: message.expiresAt,
    size: message.size,
    order: undefined,
    attempts: 0,
    state: 'loose',
    fence: 0,
    deadline: 0,
    reason: '',
    stored: message,
    isBacklogged: false,
    id: '',
  }
}

/** The entry of a message that was passed over while its group was busy, and whose turn has come. */
export function passedEntry(
  lane: Lane<Entry>,
  offset: number,
  order: string,
  { size, sentAt, expiresAt }: { readonly size: number; readonly sentAt: number; readonly expiresAt: number },
): Entry {
  return {
    lane,
    offset,
    kind: 0,
    due: 0,
    priority: lane.priority,
    sentAt,
    expiresAt,
    size,
    order,
    attempts: 0,
    state: 'loose',
    fence: 0,
    deadline: 0,
    reason: '',
    stored: undefined,
    isBacklogged: true,
    id: '',
  }
}

export function hasExpired({ expiresAt }: Entry, now: number): boolean {
  return expiresAt > 0 && expiresAt <= now
}

/** What a message in a lane is called. */
export function idIn(lane: Lane<Entry>, offset: number): string {
  return lane.priority === 0 ? String(offset) : `p${lane.priority}-${offset}`
}

import { getText, putText } from '../bytes/text.js'
import type { KeyRange } from '../tree/key-range.js'
import { getKeyU16, getKeyU32, getKeyU64, putKeyU16, putKeyU32, putKeyU64 } from './big-endian.js'
import { senseless } from './stored-bytes.js'

/*
 * The one tree in which all queues, topics and logs of a store keep what they have to remember besides the messages: the tree
 * '\0queues'. A key is the number of its owner, a kind, and what the kind needs; all integers are big-endian. Never to change within
 * format version 1.
 *
 *   0         4      5
 *   +---------+------+------------------------------------+
 *   | owner   | kind | rest                               |
 *   | u32     | u8   |                                    |
 *   +---------+------+------------------------------------+
 *
 *   kind           rest                         value
 *   0 name         'queue:payments' in UTF-8    number of the owner as text; the owner in the key is 0
 *   1 meter                                     see meter.ts
 *   2 rules                                     JSON; of a topic its retention, see stored-run.ts
 *   3 entry        lane u16, offset u64         see entry.ts: a message that was handed out
 *   4 scheduled    due u64 ms, number u64       see aside.ts: a message that waits for its time
 *   5 retry        due u64 ms, number u64       the same for one that failed
 *   6 dedup        id in UTF-8                  id of the message that was sent first; expires with the window
 *   7 expiry       expires at u64 ms,           nothing: a message that is not handed out yet and will expire
 *                  lane u16, offset u64
 *   8 repetition   name in UTF-8                see repetition.ts
 *   9 backlog      lane u16, length u16 and     see passed.ts: a message that was passed over while its group was busy
 *                  group in UTF-8, offset u64
 *
 * A lane is 0x8000 minus the priority of its messages, so that higher priorities come first; 0xffff stands for the messages
 * that were set aside, whose offset is their number.
 */

export const KIND_NAME = 0
export const KIND_METER = 1
export const KIND_RULES = 2
export const KIND_ENTRY = 3
export const KIND_SCHEDULED = 4
export const KIND_RETRY = 5
export const KIND_DEDUP = 6
export const KIND_EXPIRY = 7
export const KIND_REPETITION = 8
export const KIND_BACKLOG = 9

/** The owner of the names. */
export const REGISTRY = 0
export const ASIDE_LANE = 0xffff
/** What ends the range of its keys still fits into four bytes. */
export const LAST_OWNER = 0xfffffffe

export const HIGHEST_PRIORITY = 0x7fff
export const LOWEST_PRIORITY = -0x7ffe

const HEAD_BYTES = 5

export function laneOf(priority: number): number {
  return 0x8000 - priority
}

export function stateKey(owner: number, kind: number): Uint8Array {
  const key = new Uint8Array(HEAD_BYTES)
  putHead(key, owner, kind)
  return key
}

export function textKey(owner: number, kind: number, text: string): Uint8Array {
  const utf8 = Buffer.from(text)
  const key = new Uint8Array(HEAD_BYTES + utf8.length)
  putHead(key, owner, kind)
  key.set(utf8, HEAD_BYTES)
  return key
}

export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + HEAD_BYTES, key.length - HEAD_BYTES).toString()
}

export function entryKey(owner: number, lane: number, offset: number): Uint8Array {
  const key = new Uint8Array(HEAD_BYTES + 10)
  putHead(key, owner, KIND_ENTRY)
  putKeyU16(key, HEAD_BYTES, lane)
  putKeyU64(key, HEAD_BYTES + 2, offset)
  return key
}

export function entryOffset(key: Uint8Array): number {
  return numberIn(key, HEAD_BYTES + 2)
}

export function asideKey(owner: number, kind: number, due: number, number: number): Uint8Array {
  const key = new Uint8Array(HEAD_BYTES + 16)
  putHead(key, owner, kind)
  putKeyU64(key, HEAD_BYTES, due)
  putKeyU64(key, HEAD_BYTES + 8, number)
  return key
}

/** 0 where the key is no more than the beginning of its kind. */
export function dueOf(key: Uint8Array): number {
  return key.length === HEAD_BYTES ? 0 : numberIn(key, HEAD_BYTES)
}

export function asideNumber(key: Uint8Array): number {
  return numberIn(key, HEAD_BYTES + 8)
}

export function expiryKey(owner: number, expiresAt: number, lane: number, offset: number): Uint8Array {
  const key = new Uint8Array(HEAD_BYTES + 18)
  putHead(key, owner, KIND_EXPIRY)
  putKeyU64(key, HEAD_BYTES, expiresAt)
  putKeyU16(key, HEAD_BYTES + 8, lane)
  putKeyU64(key, HEAD_BYTES + 10, offset)
  return key
}

export function expiryLane(key: Uint8Array): number {
  return getKeyU16(key, HEAD_BYTES + 8)
}

export function backlogKey(owner: number, lane: number, order: string, offset: number): Uint8Array {
  const length = Buffer.byteLength(order)
  const key = new Uint8Array(HEAD_BYTES + 4 + length + 8)
  putHead(key, owner, KIND_BACKLOG)
  putKeyU16(key, HEAD_BYTES, lane)
  putKeyU16(key, HEAD_BYTES + 2, length)
  putText(key, HEAD_BYTES + 4, order)
  putKeyU64(key, HEAD_BYTES + 4 + length, offset)
  return key
}

export function backlogLane(key: Uint8Array): number {
  return getKeyU16(key, HEAD_BYTES)
}

export function backlogOrder(key: Uint8Array): string {
  if (key.length < HEAD_BYTES + 12) throw senseless('A key of what queues remember', HEAD_BYTES, 'it holds no group')
  return getText(key, HEAD_BYTES + 4, key.length - 8)
}

export function backlogOffset(key: Uint8Array): number {
  return numberIn(key, key.length - 8)
}

/** Behind all keys of the same group. */
export function behindOrder(key: Uint8Array): Uint8Array {
  return key.slice().fill(0xff, key.length - 8)
}

/** All keys of a lane. */
export function backlogRange(owner: number, lane: number): { start: Uint8Array; end: Uint8Array } {
  const [start, end] = [lane, lane + 1].map((each) => {
    const key = new Uint8Array(HEAD_BYTES + 2)
    putHead(key, owner, KIND_BACKLOG)
    putKeyU16(key, HEAD_BYTES, each)
    return key
  })
  return { start: start!, end: end! }
}

/** All keys of a kind. */
export function kindRange(owner: number, kind: number): KeyRange {
  return { start: stateKey(owner, kind), end: stateKey(owner, kind + 1) }
}

/** All keys of an owner. */
export function ownerRange(owner: number): KeyRange {
  const end = new Uint8Array(4)
  putKeyU32(end, 0, owner + 1)
  return { start: stateKey(owner, 0), end }
}

function putHead(key: Uint8Array, owner: number, kind: number): void {
  putKeyU32(key, 0, owner)
  key[4] = kind
}

export function ownerOf(key: Uint8Array): number {
  return getKeyU32(key, 0)
}

/** A number out of a key that was read, which may be any bytes. */
function numberIn(key: Uint8Array, offset: number): number {
  const value = key.length < offset + 8 ? Number.NaN : getKeyU64(key, offset)
  if (!Number.isSafeInteger(value)) throw senseless('A key of what queues remember', offset, 'it holds no number')
  return value
}

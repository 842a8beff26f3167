import { invalid } from '../bytes/errors.js'
import { describe } from '../store/encoding.js'
import { checked, whole } from '../store/options.js'
import type { Appendable, Change } from './change.js'
import type { MessageLog } from './message-log.js'

/** How much of a topic is kept, whoever has read it; without any, all of it is. */
export interface Retention {
  /** Milliseconds. */
  age?: number
  /** Of the messages. */
  bytes?: number
  /** Messages. */
  count?: number
}

const retentionChecks = {
  age: whole(1, Number.MAX_SAFE_INTEGER, 'milliseconds'),
  bytes: whole(0, Number.MAX_SAFE_INTEGER, 'bytes'),
  count: whole(0, Number.MAX_SAFE_INTEGER, 'messages'),
}

/** A retention, checked. */
export function checkRetention(value: unknown): Retention {
  if (typeof value !== 'object' || value === null) {
    throw invalid(`Option retention must be an object { age?, bytes?, count? }, not ${describe(value)}`)
  }
  return checked(value, retentionChecks, 'retention') as Retention
}

export function isSameRetention(a: Retention, b: Retention): boolean {
  return a.age === b.age && a.bytes === b.bytes && a.count === b.count
}

/**
 * Where what a retention keeps of a run begins. Bytes and times only grow from one message to the next, so the place is found by
 * halving: however much goes, some 2 log2(n) messages are looked at, and none while nothing goes.
 */
export class RetentionPoint implements Appendable {
  private readonly log: MessageLog
  // Messages whose commit is on its way cannot be read yet: the bytes in front of each, and when it was sent.
  private readonly comingBytes: number[] = []
  private readonly comingTimes: number[] = []
  /** The message that was found to be kept last; it is asked about again and again while nothing goes. */
  private known = { offset: -1, bytesBefore: 0, sentAt: 0 }

  constructor(log: MessageLog) {
    this.log = log
  }

  /** A message was appended to the run. */
  appended(change: Change, size: number, sentAt: number): void {
    this.comingBytes.push(this.log.totalBytes - size)
    this.comingTimes.push(sentAt)
    change.appended(this, size)
  }

  show(count: number): void {
    this.comingBytes.splice(0, count)
    this.comingTimes.splice(0, count)
  }

  takeBack(count: number): void {
    this.comingBytes.length -= count
    this.comingTimes.length -= count
  }

  /** The first offset from `from` on that is kept now, counting what was appended though its commit may be on its way. */
  find({ age, bytes, count }: Retention, from: number, now: number): number {
    const { log } = this
    const end = log.next
    const first = count === undefined ? from : Math.max(from, end - count)
    if (age === undefined && bytes === undefined) return first
    const mostBytesBefore = bytes === undefined ? Number.NEGATIVE_INFINITY : log.totalBytes - bytes
    const sentAfter = age === undefined ? Number.NEGATIVE_INFINITY : now - age
    let low = first
    let high = end
    // As a rule little or nothing goes: in steps that grow, until one is kept.
    for (let step = 1; low < end; step *= 2) {
      const at = Math.min(low + step - 1, end - 1)
      if (this.isKept(at, mostBytesBefore, sentAfter)) {
        high = at
        break
      }
      low = at + 1
    }
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.isKept(middle, mostBytesBefore, sentAfter)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** When a message was sent; undefined where it is not there. */
  sentAt(offset: number): number | undefined {
    return this.look(offset)?.sentAt
  }

  private isKept(offset: number, leastBytesBefore: number, sentAfter: number): boolean {
    const found = this.look(offset)
    // What is not there keeps nothing in front of it.
    if (found === undefined || found.bytesBefore < leastBytesBefore || found.sentAt <= sentAfter) return false
    if (offset < this.log.visible) this.known = found
    return true
  }

  private look(offset: number): { offset: number; bytesBefore: number; sentAt: number } | undefined {
    if (offset === this.known.offset) return this.known
    const { log, comingBytes, comingTimes } = this
    const coming = offset - (log.next - comingBytes.length)
    if (coming >= 0) return { offset, bytesBefore: comingBytes[coming]!, sentAt: comingTimes[coming]! }
    const message = log.at(offset)
    return message && { offset, bytesBefore: log.totalOf(message) - message.size, sentAt: message.sentAt }
  }
}

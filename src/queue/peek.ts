import { type Entry, goesBefore, idIn } from './entry.js'
import type { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import type { Stock } from './stock.js'

/** A message that is looked at and left where it is. */
export interface Seen {
  readonly message: StoredMessage
  readonly id: string
  readonly attempts: number
  readonly priority: number
}

// Those that wait for their group stand among others that are gone.
const SLICE = 256
const SLICE_BYTES = 1024 * 1024

/** The first of those that were passed over in a lane. */
async function peekPassed(stock: Stock, lane: Lane<Entry>, max: number, found: Seen[]): Promise<void> {
  let left = Math.min(max, stock.backlog.count)
  for (let from = Math.max(lane.floor(), lane.log.first); left > 0 && from < lane.cursor; ) {
    const slice = await lane.log.slice(from, lane.cursor, SLICE, SLICE_BYTES)
    if (slice.length === 0) return
    for (const { offset, message } of slice) {
      from = offset + 1
      const order = stock.orderOf(message)
      if (left === 0 || order === undefined || !stock.backlog.has(lane, order, offset)) continue
      left--
      const id = message.history?.id ?? idIn(lane, offset)
      found.push({ message, id, attempts: 0, priority: lane.priority })
    }
  }
}

/** What comes next, without taking it, up to `max`. */
export async function peek(stock: Stock, max: number, now: number): Promise<Seen[]> {
  const found: Seen[] = []
  const entries = [...stock.loose.values(), ...stock.orders.entries()]
    .filter(({ state }) => state === 'loose' || state === 'waiting')
    .sort((a, b) => (goesBefore(a, b) ? -1 : 1))
  for (const entry of entries.slice(0, max)) {
    const message = stock.messageOf(entry)
    const { attempts, priority } = entry
    found.push({ message, id: stock.idOf(entry, message), attempts, priority })
  }
  for (const aside of [stock.retries, stock.scheduled]) {
    let left = max
    for (const { due, number, id, attempts, priority, message } of aside.each()) {
      if (due > now || left-- === 0) break
      found.push({ message, id: message.history?.id ?? (id || `s${number}`), attempts, priority })
    }
  }
  for (const lane of stock.lanes) await peekPassed(stock, lane, max, found)
  for (const lane of stock.lanes) {
    const from = Math.max(lane.cursor, lane.log.first)
    for (const { offset, message } of await lane.log.slice(from, lane.log.visible, max, Number.POSITIVE_INFINITY)) {
      const id = message.history?.id ?? idIn(lane, offset)
      found.push({ message, id, attempts: 0, priority: lane.priority })
    }
  }
  return found
    .filter(({ message: { expiresAt } }) => expiresAt === 0 || expiresAt > now)
    .sort((a, b) => b.priority - a.priority)
    .slice(0, max)
}

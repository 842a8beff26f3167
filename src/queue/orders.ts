import { type Entry, goesBefore } from './entry.js'

// What is at hand of those that wait: 8 MiB of messages a queue, the others are read again.
const WAITING_BYTES = 8 * 1024 * 1024

/** The one order of a strict queue. */
export const STRICT = ''

/**
 * The orders that have a message under way, each a group or the whole of a strict queue, and who waits until it is gone: one message of an
 * order is handed out at a time.
 */
export class Orders {
  private readonly lines = new Map<string, Entry[]>()
  private waitingBytes = 0

  /** Whether one of that order is under way. */
  has(order: string): boolean {
    return this.lines.has(order)
  }

  /** One of that order is under way from here on. */
  begin(order: string): void {
    this.lines.set(order, [])
  }

  /** It was not, after all. */
  forget(order: string): void {
    this.lines.delete(order)
  }

  /** An entry stands in line behind the one under way. Requires: there is one. */
  wait(entry: Entry): void {
    const line = this.lines.get(entry.order!)!
    entry.state = 'waiting'
    let at = line.length
    while (at > 0 && goesBefore(entry, line[at - 1]!)) at--
    line.splice(at, 0, entry)
    if (this.waitingBytes + entry.size > WAITING_BYTES) entry.stored = undefined
    else if (entry.stored !== undefined) this.waitingBytes += entry.size
  }

  /** Who is next in line. */
  first(order: string): Entry | undefined {
    return this.lines.get(order)?.[0]
  }

  /** It leaves the line. Says whether it stood in one. */
  leave(entry: Entry): boolean {
    const line = this.lines.get(entry.order!)
    const at = line?.indexOf(entry) ?? -1
    if (at < 0) return false
    line!.splice(at, 1)
    if (entry.stored !== undefined) this.waitingBytes -= entry.size
    return true
  }

  /** The one under way is gone: the next in line is returned, and is under way now. */
  release(order: string): Entry | undefined {
    const next = this.lines.get(order)?.[0]
    if (next === undefined) this.lines.delete(order)
    else this.leave(next)
    return next
  }

  /** All who wait, in no order. */
  entries(): Entry[] {
    return [...this.lines.values()].flat()
  }

  /** Nothing is under way any more. Returns what takes that back. */
  clear(): () => void {
    const { waitingBytes } = this
    const lines = [...this.lines]
    this.lines.clear()
    this.waitingBytes = 0
    return () => {
      for (const [order, line] of lines) this.lines.set(order, line)
      this.waitingBytes = waitingBytes
    }
  }
}

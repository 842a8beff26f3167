import type { Delivery } from './delivery.js'
import type { StoredMessage } from './message-format.js'
import type { Reader } from './reader.js'

/** So many are passed over in one commit. */
const SLICE = 512

/**
 * Passes over the messages at the head of a subscription that none of its open readers wants, though nobody receives: what a filter leaves
 * out would otherwise be counted as left to do until the next message is asked for, which may never come.
 */
export class Lookout {
  private readonly delivery: Delivery
  private readonly readers = new Set<Reader<never>>()
  private isScheduled = false
  private isClosed = false
  /** Somebody wants the message at this offset: the readers are not asked again. */
  private wanted = -1

  constructor(delivery: Delivery) {
    this.delivery = delivery
  }

  /** A reader that is open. Returns what ends that. */
  attach(reader: Reader<never>): () => void {
    this.readers.add(reader)
    this.wanted = -1
    this.wake()
    return () => {
      this.readers.delete(reader)
      this.wanted = -1
    }
  }

  close(): void {
    this.isClosed = true
  }

  /** Looks once this turn's commits are done with. */
  wake(): void {
    if (this.isScheduled || !this.canPass) return
    this.isScheduled = true
    queueMicrotask(() => {
      this.look().catch(() => {
        // Nothing can be read or written now: whoever receives hears of it.
        this.isScheduled = false
      })
    })
  }

  private get canPass(): boolean {
    const { readers, delivery } = this
    if (this.isClosed || readers.size === 0 || !delivery.post.isWritable) return false
    for (const { filter } of readers) if (filter === undefined) return false
    const [lane] = delivery.stock.lanes
    return lane?.hasNext === true && lane.cursor !== this.wanted
  }

  private async look(): Promise<void> {
    const { delivery } = this
    while (this.canPass) {
      const lane = delivery.stock.lanes[0]!
      if (lane.head === undefined && !lane.fillResident(1)) {
        await lane.fill()
        continue
      }
      await this.pass()
    }
    this.isScheduled = false
  }

  /** The same on this thread, as far as it goes. */
  passNow(): void {
    try {
      while (this.canPass && this.delivery.stock.lanes[0]!.readHead()) this.pass().catch(() => {})
    } catch {
      // As above.
    }
  }

  /** Passes over what is at hand, up to the first message that somebody wants. */
  private pass(): Promise<void> {
    const { delivery } = this
    const lane = delivery.stock.lanes[0]!
    const { offset, message } = lane.head!
    if (!this.isUnwanted(message, offset)) {
      this.wanted = offset
      return Promise.resolve()
    }
    return delivery.stock.commit(false, (change) => {
      delivery.handout.passUnwanted(change, lane, (stored, at) => this.isUnwanted(stored, at), SLICE)
    })
  }

  private isUnwanted(stored: StoredMessage, offset: number): boolean {
    for (const { filter } of this.readers) if (filter!(stored, offset)) return false
    return true
  }
}

import type { Scan } from '../../store/scan.js'
import type { SliceExpiries } from '../../store/slice-expiries.js'
import type { Encoded } from './handles.js'
import { AbortError, levelError } from './level-error.js'
import type { Watermark } from './watermark.js'

// One entry first, because that is often all that is wanted after a seek; then so many, because the loop that takes them one
// by one runs on microtasks, and only between two slices does it let the event loop turn.
const LARGEST_SLICE = 1000

/**
 * A scan as the iterators of Level read it: one by one out of slices, in slices of the caller's size, or all of it. How large a
 * slice gets in bytes, the watermark says.
 */
export class Slices<T> {
  private readonly scan: Scan<Encoded, T>
  private readonly watermark: Watermark
  private readonly signal: AbortSignal | undefined
  private slice: T[] = []
  private expiries: SliceExpiries | undefined
  private at = 0
  private isFirst = true

  constructor(scan: Scan<Encoded, T>, watermark: Watermark, signal: AbortSignal | undefined) {
    this.scan = scan
    this.watermark = watermark
    this.signal = signal
  }

  /** How many entries are read and not yet taken. */
  get cached(): number {
    return this.slice.length - this.at
  }

  /** The next entry, `undefined` at the end; at once where it was read before. Reads at most `left` entries. */
  next(left: number): T | undefined | Promise<T | undefined> {
    if (this.expiries !== undefined) this.dropExpired()
    return this.at < this.slice.length ? this.slice[this.at++] : this.refill(left)
  }

  private async refill(left: number): Promise<T | undefined> {
    do {
      this.slice = await this.read(this.isFirst ? 1 : Math.min(LARGEST_SLICE, left))
      this.expiries = this.scan.expiries
      this.isFirst = false
      this.at = 0
      this.dropExpired()
    } while (this.slice.length > 0 && this.at === this.slice.length)
    return this.slice[this.at++]
  }

  /** Up to `count` entries: what is left of a slice, or a new one. */
  nextMany(count: number): Promise<T[]> {
    this.isFirst = false
    this.dropExpired()
    if (this.cached === 0) return this.read(count)
    const taken: T[] = []
    for (; taken.length < count && this.cached > 0; this.dropExpired()) taken.push(this.slice[this.at++]!)
    return Promise.resolve(taken)
  }

  /** Up to `left` entries, however many bytes they have. */
  async all(left: number): Promise<T[]> {
    const taken = this.expiries?.left(this.slice, this.at) ?? this.slice.slice(this.at)
    this.drop()
    const rest = await this.abortable(this.scan.nextMany(left - taken.length))
    return taken.length === 0 ? rest : taken.concat(rest)
  }

  /** Goes to the first entry at or after a key in the scan's direction. */
  seek(target: Encoded): void {
    this.drop()
    this.isFirst = true
    try {
      this.scan.seek(target)
    } catch (error) {
      throw levelError(error)
    }
  }

  close(): void {
    this.drop()
    this.scan.close()
  }

  private drop(): void {
    this.slice = []
    this.expiries = undefined
    this.at = 0
  }

  /** What has expired since it was read is gone. */
  private dropExpired(): void {
    while (this.at < this.slice.length && this.expiries?.isPast(this.at)) this.at++
  }

  private read(count: number): Promise<T[]> {
    this.watermark.bytes = 0
    return this.abortable(this.scan.nextUntil(count, this.watermark.isExceeded))
  }

  /** A read whose signal aborts before its caller has the answer is aborted, however quick the store was. */
  private async abortable(reading: Promise<T[]>): Promise<T[]> {
    const { signal } = this
    try {
      const slice = await reading
      signal?.throwIfAborted()
      return slice
    } catch (error) {
      throw signal?.aborted && error === signal.reason ? new AbortError(error) : levelError(error)
    }
  }
}

import type { Clock } from '../bytes/clock.js'
import { compareBytes } from '../bytes/compare.js'
import type { Cursor, Entry, EntryRun, WalkCursor } from '../bytes/cursor.js'
import type { RangeTombstones } from '../bytes/range-tombstones.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { KIND_DELETE } from '../log/operation.js'
import { MemtableCursor } from '../memtable/memtable-cursor.js'
import { containsKey, type KeyRange } from '../tree/key-range.js'

/** Where a walk reads: sources newest first, all at one position. */
export interface WalkSources {
  readonly cursors: readonly WalkCursor[]
  /** Per source: no entry of it has this position or a newer one. */
  readonly newestPositions: readonly Position[]
  /** Range deletions of all sources; `undefined` where there are none. */
  readonly tombstones: RangeTombstones | undefined
  readonly limit: Position
  /** Asked where something expires. */
  readonly clock: Clock
}

const NO_KEY = new Uint8Array(0)

// So many hidden entries in a row are worth telling compaction about …
const CRAWL_ENTRIES = 128
// … and so many under one range deletion are worth a seek to its end.
const LEAP_ENTRIES = 8

/**
 * A walk over what a reader sees of a tree, in one direction: the sources merged, the newest version of each key, without what is
 * deleted or expired.
 *
 * Every source shows a key at most once, so of equal keys the newest source's counts and the others step on. Between two
 * entries of one source that lie next to each other in the merge, one comparison is made: with the runner-up. Where a source has a
 * run of entries at hand, the last of which comes before the runner-up too, not even that.
 *
 * A block that is not in memory may interrupt `advance` (`BlockNotResident`); called again, it goes on where it was.
 */
export class Walk {
  /** What stands on the current entry; `undefined` at the end. */
  current: Entry | undefined
  /** How many steps come to a visible entry for certain: in the current run, without a look at anything else and without a block. */
  certain = 0
  /** About how many entries are wanted; 0 where nobody knows. */
  expected = 0
  private run: EntryRun | undefined
  private cursors: readonly WalkCursor[] = []
  /** The numbers of the sources that are first and second in the walk's direction; -1 where there is none. */
  private first = -1
  private runnerUp = -1
  /*
   * The keys on which the sources stand, by number; an end of -1 where a source has none. Cursors are of several shapes, and asking
   * them at each comparison cost more than comparing. That of the first source is not kept while the walk goes along its run.
   */
  private keys: Uint8Array[] = []
  private keyStarts: number[] = []
  private keyEnds: number[] = []
  private newestPositions: readonly Position[] = []
  private tombstones: RangeTombstones | undefined
  private limit: Position = 0
  /** The moment at which expired entries are hidden; 0 where the clock is to be asked, which it is once something expires. */
  now: EpochMs = 0
  private clock: Clock | undefined
  private readonly open: () => WalkSources
  private isOpen = false
  private readonly range: KeyRange
  private readonly reverse: boolean
  private readonly stride: 1 | -1
  private readonly onCrawl: (range: KeyRange, hiddenInMemory: number) => void
  private pending: 'nothing' | 'start' | 'seek' | 'step' | 'pick' = 'start'
  private target: Uint8Array | undefined
  /** What a missing block interrupted: until it is done again, the cursor stands nowhere. */
  private unfinished: (() => void) | undefined
  private stepping = -1
  /** Entries passed since the last visible one, deleted or expired, and how many of them stand in memtables. */
  private hidden = 0
  private hiddenInMemory = 0
  private hiddenFrom: Uint8Array | undefined

  /** `open` is called again after a `BlockNotResident`, until it returns. */
  constructor(
    open: () => WalkSources,
    range: KeyRange,
    reverse: boolean,
    onCrawl: (range: KeyRange, hiddenInMemory: number) => void,
  ) {
    this.open = open
    this.range = range
    this.reverse = reverse
    this.stride = reverse ? -1 : 1
    this.onCrawl = onCrawl
  }

  /** Opens what is walked over; otherwise the first step does that. */
  start(): void {
    const sources = this.open()
    const { length } = sources.cursors
    this.cursors = sources.cursors
    this.keys = new Array(length).fill(NO_KEY)
    this.keyStarts = new Array(length).fill(0)
    this.keyEnds = new Array(length).fill(-1)
    this.newestPositions = sources.newestPositions
    this.tombstones = sources.tombstones
    this.limit = sources.limit
    this.clock = sources.clock
    this.isOpen = true
  }

  /** To the next entry in the walk's direction; the first one at the first call. */
  advance(): void {
    if (this.certain > 0) {
      this.certain--
      this.run!.index += this.stride
      return
    }
    if (this.pending === 'nothing') {
      if (this.current === undefined) return
      this.pending = 'step'
    }
    this.settle()
  }

  /** Ends the walk and gives back what its cursors hold. Requires: nobody reads from the current entry any more. */
  close(): void {
    this.current = undefined
    this.certain = 0
    this.pending = 'nothing'
    for (const cursor of this.cursors) cursor.release()
  }

  /** The next `advance` goes to the first entry at or after a key in the walk's direction; out of the range, to its end. */
  aim(key: Uint8Array): void {
    this.target = key
    this.certain = 0
    if (containsKey(this.range, key, 0, key.length)) this.pending = 'seek'
    else {
      this.pending = 'nothing'
      this.current = undefined
    }
  }

  private settle(): void {
    if (!this.isOpen) this.start()
    for (;;) {
      if (this.pending === 'start') this.startAll()
      else if (this.pending === 'seek') this.seekAll(this.target!)
      else if (this.pending === 'step') this.step()
      else if (this.pending === 'pick') this.pick()
      this.pending = 'nothing'
      const current = this.first < 0 ? undefined : this.cursors[this.first]!.entry
      if (current === undefined || this.isOutside(current)) {
        this.current = undefined
        this.noteCrawl(undefined)
        return
      }
      this.current = current
      if (!this.isHidden(current)) {
        if (this.hidden > 0) this.noteCrawl(current)
        this.run = current.run
        if (this.run?.isPlain) this.certain = this.certainIn(this.run)
        return
      }
      this.noteHidden(current)
    }
  }

  /** How many entries of a plain run come next in the walk and are visible; not all, perhaps, where the run leaves the walk's range. */
  private certainIn(run: EntryRun): number {
    if (this.tombstones !== undefined) return 0
    const left = this.reverse ? run.index : run.count - 1 - run.index
    if (left === 0 || this.isCertain(run, left)) return left
    // Somewhere in the run another source comes between, or the range ends.
    let certain = 0
    for (let step = 1; certain + step < left && this.isCertain(run, certain + step); step *= 2) certain += step
    return certain
  }

  /** Whether the entry so many steps on comes before the other sources and the end of the range. */
  private isCertain(run: EntryRun, steps: number): boolean {
    const { keyBytes } = run
    const start = run.keyStartOf(run.index + steps * this.stride)
    const end = run.keyEndOf(run.index + steps * this.stride)
    if (this.isKeyOutside(keyBytes, start, end)) return false
    const { runnerUp } = this
    if (runnerUp < 0) return true
    const order = compareBytes(
      keyBytes,
      start,
      end,
      this.keys[runnerUp]!,
      this.keyStarts[runnerUp]!,
      this.keyEnds[runnerUp]!,
    )
    return this.reverse ? order > 0 : order < 0
  }

  private startAll(): void {
    const { start, end } = this.range
    this.tellExpected()
    const { cursors } = this
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[i]!
      if (!this.reverse) cursor.seek(start, 0, start.length)
      else if (end === undefined) cursor.seekToLast()
      else cursor.seekBefore(end, 0, end.length)
      this.look(i)
    }
    this.pick()
  }

  /** Requires: the key is in the range. */
  private seekAll(key: Uint8Array): void {
    this.unfinished = undefined
    this.stepping = -1
    this.tellExpected()
    const { cursors } = this
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[i]!
      if (this.reverse) seekAtOrBefore(cursor, key)
      else cursor.seek(key, 0, key.length)
      this.look(i)
    }
    this.pick()
  }

  /** Where there are several sources, each is expected to have its share, though most often one of them has nearly all. */
  private tellExpected(): void {
    const { cursors } = this
    for (const cursor of cursors) {
      cursor.expected = this.expected / cursors.length
      cursor.most = this.reverse ? 0 : this.expected
    }
  }

  private step(): void {
    const { first, runnerUp } = this
    const cursor = this.cursors[first]!
    if (this.reverse) cursor.prev()
    else cursor.next()
    this.look(first)
    // From here on the step is taken: should the rest be interrupted, only the rest is done again.
    this.pending = 'pick'
    if (this.keyEnds[first]! >= 0 && (runnerUp < 0 || this.order(first, runnerUp) < 0)) return
    this.pick()
  }

  /** Finds the first source in the walk's direction, and the one behind it. */
  private pick(): void {
    this.unfinished?.()
    this.unfinished = undefined
    if (this.stepping >= 0) this.stepBehind(this.stepping)
    const { keyEnds } = this
    let best = -1
    let second = -1
    for (let i = 0; i < keyEnds.length; i++) {
      while (keyEnds[i]! >= 0) {
        if (best < 0) {
          best = i
          break
        }
        const order = this.order(i, best)
        if (order > 0) {
          if (second < 0 || this.order(i, second) < 0) second = i
          break
        }
        if (order < 0) {
          second = best
          best = i
          break
        }
        this.stepBehind(i)
      }
    }
    this.first = best
    this.runnerUp = second
  }

  /** A source that has only an older version of the key goes on. */
  private stepBehind(source: number): void {
    this.stepping = source
    const cursor = this.cursors[source]!
    if (this.reverse) cursor.prev()
    else cursor.next()
    this.look(source)
    this.stepping = -1
  }

  /** Sees where a source stands now. */
  private look(source: number): void {
    const cursor = this.cursors[source]!
    if (cursor.valid) {
      this.keys[source] = cursor.keyBytes
      this.keyStarts[source] = cursor.keyStart
      this.keyEnds[source] = cursor.keyEnd
    } else {
      this.keyEnds[source] = -1
    }
  }

  private order(a: number, b: number): number {
    const { keys, keyStarts, keyEnds } = this
    const order = compareBytes(keys[a]!, keyStarts[a]!, keyEnds[a]!, keys[b]!, keyStarts[b]!, keyEnds[b]!)
    return this.reverse ? -order : order
  }

  private isOutside(entry: Entry): boolean {
    return this.isKeyOutside(entry.keyBytes, entry.keyStart, entry.keyEnd)
  }

  /** Whether a key is beyond the end of the range in the walk's direction. */
  private isKeyOutside(bytes: Uint8Array, keyStart: number, keyEnd: number): boolean {
    const { start, end } = this.range
    if (this.reverse) return compareBytes(bytes, keyStart, keyEnd, start, 0, start.length) < 0
    return end !== undefined && compareBytes(bytes, keyStart, keyEnd, end, 0, end.length) >= 0
  }

  private isHidden(cursor: Entry): boolean {
    if (cursor.kind === KIND_DELETE) return true
    if (cursor.expiresAt !== 0 && this.isPast(cursor.expiresAt)) return true
    const { tombstones } = this
    if (tombstones === undefined) return false
    const { keyBytes, keyStart, keyEnd } = cursor
    return tombstones.coveringPosition(keyBytes, keyStart, keyEnd, this.limit) > cursor.position
  }

  private isPast(expiresAt: EpochMs): boolean {
    if (this.now === 0) this.now = this.clock!.now()
    return expiresAt <= this.now
  }

  /** Counts a hidden entry. Under a range deletion that goes on and on, what it hides is passed over in one seek. */
  private noteHidden(cursor: Entry): void {
    if (this.hidden++ === 0) this.hiddenFrom = cursor.keyBytes.slice(cursor.keyStart, cursor.keyEnd)
    if (cursor instanceof MemtableCursor) this.hiddenInMemory++
    this.pending = 'step'
    const { tombstones } = this
    if (tombstones === undefined || this.hidden % LEAP_ENTRIES !== 0) return
    const { keyBytes, keyStart, keyEnd } = cursor
    const covering = tombstones.coveringPosition(keyBytes, keyStart, keyEnd, this.limit)
    if (covering > 0) this.leap(tombstones, tombstones.fragmentAt(keyBytes, keyStart, keyEnd), covering)
  }

  /** Every source in which all is older than the deletion goes to the edge of the fragment; the others stay where they are. */
  private leap(tombstones: RangeTombstones, fragment: number, covering: Position): void {
    const edge = this.reverse ? tombstones.fragmentStart(fragment) : tombstones.fragmentEnd(fragment)
    // Should a block be missing, the sources that have moved are merely farther on: none of them passes anything visible.
    this.pending = 'pick'
    for (const [i, cursor] of this.cursors.entries()) {
      if (!cursor.valid || this.newestPositions[i]! > covering) continue
      if (tombstones.fragmentAt(cursor.keyBytes, cursor.keyStart, cursor.keyEnd) !== fragment) continue
      this.unfinished = () => {
        if (this.reverse) cursor.seekBefore(edge!, 0, edge!.length)
        else if (edge !== undefined) cursor.seek(edge, 0, edge.length)
        else exhaust(cursor)
        this.look(i)
      }
      this.unfinished()
      this.unfinished = undefined
    }
  }

  private noteCrawl(next: Entry | undefined): void {
    if (this.hidden >= CRAWL_ENTRIES) {
      const from = this.hiddenFrom!
      const to = next === undefined ? undefined : next.keyBytes.slice(next.keyStart, next.keyEnd)
      if (!this.reverse) this.onCrawl({ start: from, end: to ?? this.range.end }, this.hiddenInMemory)
      else this.onCrawl({ start: to ?? this.range.start, end: from }, this.hiddenInMemory)
    }
    this.hidden = 0
    this.hiddenInMemory = 0
    this.hiddenFrom = undefined
  }
}

function exhaust(cursor: Cursor): void {
  cursor.seekToLast()
  if (cursor.valid) cursor.next()
}

function seekAtOrBefore(cursor: Cursor, key: Uint8Array): void {
  cursor.seek(key, 0, key.length)
  if (cursor.valid && compareBytes(cursor.keyBytes, cursor.keyStart, cursor.keyEnd, key, 0, key.length) === 0) return
  cursor.seekBefore(key, 0, key.length)
}

import type { EpochMs, Position } from './units.js'

/**
 * An ordered walk over entries, given as ranges of bytes so that a step allocates nothing. Memtables, tables, levels and
 * their merge all walk alike.
 *
 * A cursor runs in one of two modes, fixed when it is made:
 *
 * - **visible**, below a position limit: every key appears at most once, with its newest version whose position is below the
 *   limit, whatever its kind. A deletion appears too, because it hides what older sources hold. Both directions, in any mix.
 * - **all**: every version, newest first within a key; forward only. Compaction reads this way.
 *
 * Entries of a key are ordered newest first, so "the first entry at or after a key" is its newest version. Range deletions are
 * not entries: the source keeps them apart.
 *
 * Invariant: `next`, `prev` and the seeks either complete or throw having changed nothing that a repeated call would miss, so
 * that a walk can be taken up again after a block was loaded (see `BlockNotResident`).
 *
 * The byte ranges are valid until the next step; of compaction's cursors `value…` also after it, as long as the caller keeps `valueBytes`.
 */
export interface Cursor {
  /** On an entry; the fields below mean something only then. */
  readonly valid: boolean
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly kind: number
  readonly position: Position
  /** When the entry expires; 0 where it does not. */
  readonly expiresAt: EpochMs
  readonly valueBytes: Uint8Array
  readonly valueStart: number
  readonly valueEnd: number

  seekToFirst(): void
  seekToLast(): void
  /** To the first entry whose key is at or after the given one. */
  seek(bytes: Uint8Array, start: number, end: number): void
  /** To the last entry whose key is before the given one. */
  seekBefore(bytes: Uint8Array, start: number, end: number): void
  /** Requires: `valid`. */
  next(): void
  /** Requires: `valid`, and visible mode. */
  prev(): void
}

/** What readers see of the entry on which a cursor stands. */
export interface Entry {
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly kind: number
  readonly position: Position
  readonly expiresAt: EpochMs
  readonly valueBytes: Uint8Array
  readonly valueStart: number
  readonly valueEnd: number
  /** The neighbours of the entry that are at hand; `undefined` where it stands alone. */
  readonly run: EntryRun | undefined

  /** The key decoded from UTF-8. It may keep the texts of some neighbours in memory, of a few KiB at most. */
  keyText(): string
  /** The same of the value. */
  valueText(): string
}

/** Entries that a cursor shows one after the other, taken apart together: no step from one to the other can be interrupted. */
export interface EntryRun {
  /** They are all puts that do not expire. */
  readonly isPlain: boolean
  readonly count: number
  /** The number of the entry that is shown; whoever reads may set it, and the cursor goes on from there. */
  index: number
  readonly keyBytes: Uint8Array
  keyStartOf(index: number): number
  keyEndOf(index: number): number
}

/** A cursor in visible mode, as readers use it. */
export interface WalkCursor extends Cursor {
  /** What shows the entry: this cursor or a part of it. Asked again after every step. Requires: `valid`. */
  readonly entry: Entry
  /** About how many entries are wanted behind the next seek; 0 where nobody knows. More or fewer may be taken. */
  expected: number
  /** How many all sources of the walk together are to give; 0 where nobody knows, or where it goes backwards. */
  most: number

  /** Gives back what it holds for the next one. Requires: nothing is asked of it any more, and nothing read from its bytes. */
  release(): void
}

/** Where a point lookup puts what it found, so that a lookup allocates nothing. */
export class Found {
  /** Whether any version was found; a deletion counts, because it ends the search. */
  hit = false
  kind = 0
  position: Position = 0
  expiresAt: EpochMs = 0
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
}

const EMPTY = new Uint8Array(0)

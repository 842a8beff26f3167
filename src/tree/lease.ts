import { SiltstoneError } from '../bytes/errors.js'
import { type FileNumber, LAST_NUMBER, type Position } from '../bytes/units.js'
import type { Lease } from './manifest-state.js'
import {
  FEWEST_LEASED_FILES,
  FEWEST_RESERVED_FILES,
  MOST_LEASED_FILES,
  MOST_LEASED_POSITIONS,
  MOST_RESERVED_FILES,
} from './tuning.js'

/** The next file number, in memory that threads share. */
export type FileCounter = BigInt64Array

/**
 * Numbers that are never used twice, even if a power loss erases what used them: the manifest promises them ahead, and a
 * session that follows an unclean end begins above the promise.
 *
 * What an unclean end leaves unused is lost, so a session promises about as much again as it has used: one that dies young loses little,
 * one that writes much asks rarely.
 *
 * The counter of files is shared memory, so jobs on another thread draw from it without asking.
 */
export class NumberLease {
  readonly counter: FileCounter
  /** Where this session began. */
  private readonly firstFile: FileNumber
  private firstPosition: Position | undefined
  /** What is known to be on disk. */
  private granted: Lease
  /** What was asked for last; granted once the edit that carries it is on disk. */
  private asked: Lease

  constructor(granted: Lease, firstFile: FileNumber) {
    this.counter = fileCounter(firstFile)
    this.firstFile = firstFile
    this.granted = granted
    this.asked = granted
  }

  get nextFile(): FileNumber {
    return peekFileNumber(this.counter)
  }

  /** Draws a file number. It may be used only when `coversFiles` says so. */
  takeFile(): FileNumber {
    return takeFileNumber(this.counter)
  }

  coversFiles(): boolean {
    return this.nextFile <= this.granted.files
  }

  coversPositions(upTo: Position): boolean {
    return upTo <= this.granted.positions
  }

  /** Whether positions up to this one are usable once what was asked for is on disk. */
  asksForPositions(upTo: Position): boolean {
    return upTo <= this.asked.positions
  }

  /** What the next edit should ask for so that positions up to `upTo` may be used; `undefined` where nothing runs out. */
  renewal(upTo: Position): Lease | undefined {
    const { nextFile, asked } = this
    const usedFiles = nextFile - this.firstFile
    const reserve = within(FEWEST_RESERVED_FILES, usedFiles, MOST_RESERVED_FILES)
    const filesRunOut = nextFile + reserve > asked.files
    const positionsRunOut = upTo > asked.positions
    if (!filesRunOut && !positionsRunOut) return undefined
    if (upTo > LAST_NUMBER) throw usedUp('position in its log')
    this.asked = {
      files: filesRunOut ? nextFile + within(FEWEST_LEASED_FILES, usedFiles * 2, MOST_LEASED_FILES) : asked.files,
      positions: positionsRunOut ? this.positionsFrom(upTo) : asked.positions,
    }
    return this.asked
  }

  private positionsFrom(upTo: Position): Position {
    // The first thing that a session asks for is room for its first segment.
    this.firstPosition ??= upTo
    return upTo + within(0, upTo - this.firstPosition, MOST_LEASED_POSITIONS)
  }

  /** The edit with this lease is on disk. */
  grant(lease: Lease): void {
    this.granted = {
      files: Math.max(this.granted.files, lease.files),
      positions: Math.max(this.granted.positions, lease.positions),
    }
  }

  /** The edit with this lease was not written: it has to be asked for again. */
  withdraw(): void {
    this.asked = this.granted
  }
}

export function fileCounter(first: FileNumber): FileCounter {
  const counter = new BigInt64Array(new SharedArrayBuffer(8))
  counter[0] = BigInt(first)
  return counter
}

export function takeFileNumber(counter: FileCounter): FileNumber {
  const number = Number(Atomics.add(counter, 0, 1n))
  if (number > LAST_NUMBER) throw usedUp('number for a file')
  return number
}

export function peekFileNumber(counter: FileCounter): FileNumber {
  return Number(Atomics.load(counter, 0))
}

function within(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(value, most))
}

function usedUp(what: string): SiltstoneError {
  return new SiltstoneError(
    'SILT_FULL',
    `The store has used every ${what} that there is; bring its entries over into a new one with a scan of each keyspace`,
  )
}

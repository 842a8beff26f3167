import type { FileNumber, Position } from '../bytes/units.js'
import type { Lease } from './manifest-state.js'
import { LEASE_FILES, LEASE_FILES_RESERVE, LEASE_POSITIONS } from './tuning.js'

/**
 * Numbers that are never used twice, even if a power loss erases what used them: the manifest promises them ahead, and a
 * session that follows an unclean end begins above the promise.
 *
 * The counter of files is shared memory, so jobs on another thread draw from it without asking.
 */
export class NumberLease {
  /** The next file number, one u32. */
  readonly counter: Uint32Array
  /** What is known to be on disk. */
  private granted: Lease
  /** What was asked for last; granted once the edit that carries it is on disk. */
  private asked: Lease

  constructor(granted: Lease, firstFile: FileNumber) {
    this.counter = new Uint32Array(new SharedArrayBuffer(4))
    this.counter[0] = firstFile
    this.granted = granted
    this.asked = granted
  }

  get nextFile(): FileNumber {
    return Atomics.load(this.counter, 0)
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

  /** What the next edit should ask for so that positions up to `upTo` may be used; `undefined` where nothing runs out. */
  renewal(upTo: Position): Lease | undefined {
    const filesRunOut = this.nextFile + LEASE_FILES_RESERVE > this.asked.files
    if (!filesRunOut && upTo <= this.asked.positions) return undefined
    this.asked = {
      files: filesRunOut ? this.nextFile + LEASE_FILES : this.asked.files,
      positions: upTo <= this.asked.positions ? this.asked.positions : upTo + LEASE_POSITIONS,
    }
    return this.asked
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

export function takeFileNumber(counter: Uint32Array): FileNumber {
  return Atomics.add(counter, 0, 1)
}

import { MemoryFile } from '../../src/fs/memory-file.js'
import { type Losses, survivingPrefix } from './losses.js'
import type { SeededRandom } from './seeded-random.js'

const SECTOR_BYTES = 512

interface Change {
  readonly serial: number
  readonly offset: number
  readonly bytes: Uint8Array
  /** Cut to `offset`: the bytes are the zeros that take the place of what was cut. */
  readonly cuts: boolean
  readonly sizeAfter: number
}

/**
 * What the disk has of one file, beside what the page cache shows: an image as of the last sync, and every change since.
 *
 * A sector is written whole, so it holds the changes up to some point and none behind it; which point is each sector's own
 * luck. The size is metadata with a luck of its own, and a cut counts as metadata: it takes effect when the size does.
 */
export class DurableFile {
  #image: MemoryFile
  #changes: Change[] = []
  #serial = 0
  #size: number

  constructor(content?: MemoryFile) {
    this.#image = content === undefined ? new MemoryFile(0) : copyOf(content)
    this.#size = this.#image.size
  }

  /** Names the changes so far, for a sync that begins now and ends later. */
  get mark(): number {
    return this.#serial
  }

  wrote(source: Uint8Array, start: number, length: number, offset: number): void {
    if (length === 0) return
    const end = offset + length
    this.#changed(offset, source.slice(start, start + length), false, Math.max(this.#size, end))
  }

  truncated(bytes: number): void {
    this.#changed(bytes, new Uint8Array(Math.max(0, this.#size - bytes)), true, bytes)
  }

  /** Everything up to the mark is on disk. */
  sync(mark: number): void {
    let count = 0
    for (const change of this.#changes) {
      if (change.serial > mark) break
      apply(change, this.#image)
      count++
    }
    this.#changes.splice(0, count)
  }

  /**
   * A sync failed. As on Linux the pages are clean now all the same: some reached the disk, the others never will, and no later
   * sync will tell.
   */
  failSync(random: SeededRandom): void {
    this.#image = this.survivors(random, { survival: random.fraction(), garbage: false })
    this.#changes = []
  }

  /** Bits that flip, wherever the byte is kept. */
  rot(place: number, xor: number): void {
    const byte = new Uint8Array(1)
    if (this.#image.read(byte, 0, 1, place) === 1) {
      byte[0]! ^= xor
      this.#image.write(byte, 0, 1, place)
    }
    for (const { offset, bytes, cuts } of this.#changes) {
      if (!cuts && place >= offset && place < offset + bytes.length) bytes[place - offset]! ^= xor
    }
  }

  /** The file after a loss of power. */
  survivors(random: SeededRandom, losses: Losses): MemoryFile {
    const after = copyOf(this.#image)
    const changes = this.#changes
    const known = survivingPrefix(random, changes.length, 0, losses.survival)
    const size = known === 0 ? this.#image.size : changes[known - 1]!.sizeAfter
    for (const [sector, touching] of this.#changesBySector()) {
      const firstByte = sector * SECTOR_BYTES
      let floor = 0
      for (const [place, index] of touching.entries()) if (changes[index]!.cuts && index < known) floor = place + 1
      const written = survivingPrefix(random, touching.length, floor, losses.survival)
      for (const index of touching.slice(0, written)) {
        const change = changes[index]!
        if (!change.cuts || index < known) applyWithin(change, firstByte, after)
      }
      if (written === 0 && losses.garbage && firstByte >= this.#image.size) {
        after.write(random.bytes(SECTOR_BYTES), 0, SECTOR_BYTES, firstByte)
      }
    }
    after.truncate(size)
    return after
  }

  #changed(offset: number, bytes: Uint8Array, cuts: boolean, sizeAfter: number): void {
    this.#size = sizeAfter
    this.#changes.push({ serial: ++this.#serial, offset, bytes, cuts, sizeAfter })
  }

  #changesBySector(): Map<number, number[]> {
    const bySector = new Map<number, number[]>()
    for (const [index, { offset, bytes }] of this.#changes.entries()) {
      const last = Math.ceil((offset + bytes.length) / SECTOR_BYTES)
      for (let sector = Math.floor(offset / SECTOR_BYTES); sector < last; sector++) {
        const touching = bySector.get(sector)
        if (touching === undefined) bySector.set(sector, [index])
        else touching.push(index)
      }
    }
    return bySector
  }
}

function apply(change: Change, file: MemoryFile): void {
  if (change.cuts) file.truncate(change.offset)
  else file.write(change.bytes, 0, change.bytes.length, change.offset)
}

/** The part of a change that lies in one sector. */
function applyWithin(change: Change, firstByte: number, file: MemoryFile): void {
  const start = Math.max(change.offset, firstByte)
  const end = Math.min(change.offset + change.bytes.length, firstByte + SECTOR_BYTES)
  file.write(change.bytes, start - change.offset, end - start, start)
}

function copyOf(file: MemoryFile): MemoryFile {
  const copy = new MemoryFile(file.modifiedAt)
  const bytes = new Uint8Array(file.size)
  file.read(bytes, 0, file.size, 0)
  copy.write(bytes, 0, bytes.length, 0)
  return copy
}

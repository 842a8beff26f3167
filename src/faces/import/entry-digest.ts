import { hash64 } from '../../bytes/hash.js'

/** What two sets of entries are compared by. */
export interface Sum {
  /** How many. */
  readonly entries: number
  /** Of keys and values together. */
  readonly bytes: number
  /** 64 bits as 16 hexadecimal digits. */
  readonly checksum: string
}

export const NOTHING: Sum = { entries: 0, bytes: 0, checksum: '0'.repeat(16) }

export function isSame(a: Sum, b: Sum): boolean {
  return a.entries === b.entries && a.bytes === b.bytes && a.checksum === b.checksum
}

/**
 * Counts entries and sums up the hashes of them: XXH64 of each value, seeded with that of its key. A sum is the same in any order, which
 * is as it must be: the order of the source may be one of its own, where its keys are no bytes. And it can be written down half way.
 */
export class EntryDigest {
  entries = 0
  private bytes = 0
  private hashes = 0n

  add(key: Uint8Array, value: Uint8Array): void {
    this.entries++
    this.bytes += key.length + value.length
    this.hashes = BigInt.asUintN(64, this.hashes + hash64(value, hash64(key, 0n)))
  }

  get sum(): Sum {
    const { entries, bytes, hashes } = this
    return { entries, bytes, checksum: hashes.toString(16).padStart(16, '0') }
  }
}

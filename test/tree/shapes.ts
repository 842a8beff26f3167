import type { Situation } from '../../src/tree/compaction-policy.js'
import { successor } from '../../src/tree/key-range.js'
import { LEVEL_COUNT, type TableMeta } from '../../src/tree/table-meta.js'

const MIB = 1024 * 1024
let nextNumber = 1

/** A table over the keys `from` to `to`, both included, of 16 MiB and a hundred thousand entries unless it says otherwise. */
export function table(from: string, to: string, changes: Partial<TableMeta> = {}): TableMeta {
  const number = nextNumber++
  return {
    number,
    tree: 1,
    level: 0,
    start: Buffer.from(from),
    end: successor(Buffer.from(to)),
    bytes: 16 * MIB,
    rawBytes: 32 * MIB,
    entryCount: 100_000,
    deletionCount: 0,
    rangeTombstoneCount: 0,
    heldCount: 0,
    lowestPosition: number * 1000,
    highestPosition: number * 1000 + 999,
    expiringCount: 0,
    earliestExpiry: 0,
    latestExpiry: 0,
    compression: 'lz4',
    createdAt: 0,
    ...changes,
  }
}

/** Tables side by side over the keys a0 to z9, of so many bytes together. */
export function level(number: number, mebibytes: number, changes: Partial<TableMeta> = {}): TableMeta[] {
  const count = Math.max(1, Math.round(mebibytes / 16))
  const key = (i: number): string => String(i).padStart(6, '0')
  return Array.from({ length: count }, (_, i) =>
    table(key(i * 10), key(i * 10 + 9), { level: number, bytes: (mebibytes * MIB) / count, ...changes }),
  )
}

/** Level 0 is given newest first, as it stands in a version. */
export function situation(levels: Record<number, TableMeta[]>, changes: Partial<Situation> = {}): Situation {
  const shape = Array.from({ length: LEVEL_COUNT }, (_, i) => (levels[i] ?? []).map((meta) => ({ ...meta, level: i })))
  return {
    shape,
    now: 0,
    pins: [],
    hinted: new Set(),
    damaged: new Set(),
    quiet: false,
    compression: 'lz4',
    fifo: undefined,
    trimmedBefore: undefined,
    ...changes,
  }
}

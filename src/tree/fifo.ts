import type { CompactionPolicy, Pick, Situation } from './compaction-policy.js'
import { endsAtOrBefore } from './key-range.js'
import { bytesOf, type LevelShape } from './level-shape.js'
import { pickMinor } from './minor.js'
import type { TableMeta } from './table-meta.js'
import { LEVEL0_RUNS } from './tuning.js'

/**
 * For trees whose keys only grow: tables never overlap and are never rewritten. The oldest are dropped unread, once everything
 * in them was trimmed, or the tree is larger or older than it may be; only tiny ones are merged.
 */
export const fifo: CompactionPolicy = {
  style: 'fifo',

  pick(situation: Situation): Pick | undefined {
    const tables = expendable(situation)
    if (tables.length > 0) return { action: 'drop', reason: 'fifo', urgency: 10, tables }
    const { shape } = situation
    return shape[0]!.length < LEVEL0_RUNS ? undefined : pickMinor(situation, 1)
  },

  pendingBytes: () => 0,
}

function expendable({ shape, fifo: limits, now, trimmedBefore }: Situation): TableMeta[] {
  // A store with thousands of queues asks each of them over and over, and nearly all have nothing to drop.
  if (limits === undefined) {
    return trimmedBefore === undefined ? [] : shape.flat().filter((table) => endsBefore(table, trimmedBefore))
  }
  const tables = oldestFirst(shape)
  let excess = limits?.bytes === undefined ? 0 : bytesOf(tables) - limits.bytes
  const dropped: TableMeta[] = []
  for (const table of tables) {
    const isTrimmed = trimmedBefore !== undefined && endsBefore(table, trimmedBefore)
    const isTooOld = limits?.ageMs !== undefined && table.createdAt + limits.ageMs <= now
    const isTooMuch = excess > 0
    if (!isTrimmed && !isTooOld && !isTooMuch) break
    dropped.push(table)
    excess -= table.bytes
  }
  return dropped
}

function endsBefore(table: TableMeta, key: Uint8Array): boolean {
  return endsAtOrBefore(table, key, 0, key.length)
}

function oldestFirst(shape: LevelShape): TableMeta[] {
  return shape.flat().sort((a, b) => a.lowestPosition - b.lowestPosition)
}

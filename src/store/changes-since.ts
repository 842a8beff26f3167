import { Found } from '../bytes/cursor.js'
import { getU32 } from '../bytes/integers.js'
import type { Position } from '../bytes/units.js'
import { LOG_HEADER_BYTES } from '../log/log-header.js'
import {
  KIND_RANGE_DELETE,
  KIND_TREE,
  operationEnd,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
} from '../log/operation.js'
import { RECORD_HEADER_BYTES, recordCount } from '../log/record.js'
import type { Segment } from '../log/segment.js'
import { type KeyRange, rangesOverlap } from '../tree/key-range.js'
import type { Engine } from './engine.js'
import type { TreeState } from './tree-state.js'
import { View } from './view.js'

const EVER: Position = Number.POSITIVE_INFINITY
const found = new Found()

/**
 * Whether a key was written or deleted at or after a position, by a commit that is visible. Requires: the position is pinned, so
 * that no compaction has forgotten what was there then.
 */
export function keyChangedSince(state: TreeState, key: Uint8Array, keyEnd: number, since: Position): boolean {
  const { active, sealed } = state
  for (const memtable of active === undefined ? sealed : [active, ...sealed]) {
    if (memtable.base + memtable.bytes.length <= since) return false
    if (memtable.rangeTombstones.coveringPosition(key, 0, keyEnd, EVER) >= since) return true
    found.hit = false
    if (memtable.lookup(key, 0, keyEnd, EVER, found)) return found.position >= since
  }
  const version = state.tree?.version
  if (version === undefined || version.newestPosition < since) return false
  found.hit = false
  return version.lookup(key, 0, keyEnd, EVER, found) && found.position >= since
}

/** The same for every key of a range, those included that were not there and still are not. */
export function rangeChangedSince(engine: Engine, state: TreeState, range: KeyRange, since: Position): boolean {
  const view = new View(engine, state, EVER)
  try {
    const { cursors, newestPositions, tombstones } = view.sources(range)
    if (tombstones !== undefined) {
      const within = tombstones.clip(range.start, range.end)
      for (let i = 0; i < within.size; i++) if (within.fragmentPositions(i)[0]! >= since) return true
    }
    for (const [i, cursor] of cursors.entries()) {
      if (newestPositions[i]! < since) continue
      cursor.seek(range.start, 0, range.start.length)
      for (; cursor.valid && isBelow(cursor.keyBytes, cursor.keyStart, cursor.keyEnd, range.end); cursor.next()) {
        if (cursor.position >= since) return true
      }
    }
    return false
  } finally {
    view.release()
  }
}

function isBelow(key: Uint8Array, start: number, end: number, bound: Uint8Array | undefined): boolean {
  if (bound === undefined) return true
  return rangesOverlap({ start: key.slice(start, end), end: undefined }, { start: new Uint8Array(0), end: bound })
}

/** Asked about every operation that is committed to the log and not visible yet. */
export interface PendingJudge {
  touchesKey(tree: number, key: Uint8Array, keyEnd: number): boolean
  touchesRange(tree: number, range: KeyRange): boolean
}

/** Whether any commit that is on its way touches what the judge cares about. */
export function pendingTouches(engine: Engine, judge: PendingJudge): boolean {
  const { active } = engine.log!
  if (engine.visible >= active.base) return touchesIn(active, engine.visible, judge)
  return engine.segments.some(
    (segment) => segment.endPosition > engine.visible && touchesIn(segment, engine.visible, judge),
  )
}

function touchesIn({ bytes, base, end }: Segment, from: Position, judge: PendingJudge): boolean {
  // Of a segment that was begun with what is on its way nothing is visible.
  let record = Math.max(from - base, LOG_HEADER_BYTES)
  for (; record < end; record += getU32(bytes, record + 4)) {
    let operation = record + RECORD_HEADER_BYTES
    for (let left = recordCount(bytes, record); left > 0; left--) {
      if (touches(bytes, operation, judge)) return true
      operation = operationEnd(bytes, operation)
    }
  }
  return false
}

function touches(bytes: Uint8Array, operation: number, judge: PendingJudge): boolean {
  const kind = operationKind(bytes, operation)
  if (kind === KIND_TREE) return false
  const tree = operationTree(bytes, operation)
  const start = operationKeyStart(bytes, operation)
  const keyEnd = start + operationKeyLength(bytes, operation)
  const key = bytes.slice(start, keyEnd)
  if (kind !== KIND_RANGE_DELETE) return judge.touchesKey(tree, key, key.length)
  const end = keyEnd + operationValueLength(bytes, operation)
  return judge.touchesRange(tree, { start: key, end: end === keyEnd ? undefined : bytes.slice(keyEnd, end) })
}

import type { CompactionPolicy, MergePick, Pick, Situation } from './compaction-policy.js'
import { isUndamaged } from './compaction-policy.js'
import { hull } from './key-range.js'
import {
  averageEntryBytes,
  bytesOf,
  compressionOf,
  expiredShare,
  isReleased,
  isWhollyExpired,
  type LevelShape,
  overlappingOf,
  weightOf,
} from './level-shape.js'
import { pickMinor } from './minor.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'
import {
  BASE_LEVEL_BYTES,
  DENSE_DELETION_SHARE,
  EXPIRED_SHARE,
  LARGEST_MOVED_BYTES,
  LEVEL_MULTIPLIER,
  LEVEL0_RUNS,
  MINOR_BELOW_RATIO,
  QUIET_UPPER_SHARE,
  RELEASED_SHARE,
  TABLE_BYTES,
} from './tuning.js'

/** Where the levels begin, and how large each may grow. */
export interface LevelTargets {
  /** The level that level 0 goes to when all is settled. */
  readonly base: number
  /** Per level; 0 for the levels above the base, which should be empty. */
  readonly bytes: readonly number[]
}

/**
 * Targets that follow the data: the last level may be what it is, each level above it a tenth of the one below, and the first
 * whose target is small enough is the base. So the last level always holds some nine tenths of the data, and what
 * stands above it, the only place where garbage can hide, stays near one ninth, at any size of the store.
 */
export function levelTargets(shape: LevelShape): LevelTargets {
  let target = BASE_LEVEL_BYTES
  for (let level = 1; level <= LAST_LEVEL; level++) target = Math.max(target, bytesOf(shape[level]!))
  const bytes = shape.map(() => 0)
  let base = LAST_LEVEL
  bytes[base] = target
  while (base > 1 && target > BASE_LEVEL_BYTES) {
    target /= LEVEL_MULTIPLIER
    bytes[--base] = target
  }
  return { base, bytes }
}

/**
 * Where tables of a level go next: never past a level that holds data, because that is older than what passes and must stay
 * below it.
 */
export function nextLevel(shape: LevelShape, level: number, base: number): number {
  for (let below = level + 1; below < base; below++) if (shape[below]!.length > 0) return below
  return Math.max(base, level + 1)
}

/** Levels of growing size; each key stands on a level at most once. Reads ask few tables, writes are merged several times. */
export const leveled: CompactionPolicy = {
  style: 'leveled',

  pick(situation: Situation): Pick | undefined {
    const targets = levelTargets(situation.shape)
    const picks = [
      pickExpiredWhole(situation),
      ...levelPicks(situation, targets),
      pickSpoiled(situation, targets),
      situation.quiet ? pickQuiet(situation, targets) : undefined,
    ]
    let best: Pick | undefined
    for (const pick of picks) {
      if (pick !== undefined && pick.urgency >= 1 && pick.urgency > (best?.urgency ?? 0)) best = pick
    }
    return best
  },

  pendingBytes(shape: LevelShape): number {
    const { bytes: targets, base } = levelTargets(shape)
    const level0 = bytesOf(shape[0]!)
    let pending = 0
    if (shape[0]!.length >= LEVEL0_RUNS) pending += level0 + bytesOf(shape[nextLevel(shape, 0, base)]!)
    for (let level = 1; level < LAST_LEVEL; level++) {
      const excess = bytesOf(shape[level]!) - targets[level]!
      // A byte that goes down is merged with the bytes that overlap it, as many as the next level is larger.
      if (excess > 0) pending += excess * (1 + ratio(bytesOf(shape[level + 1]!), bytesOf(shape[level]!)))
    }
    return pending
  },
}

function ratio(a: number, b: number): number {
  return b === 0 ? 0 : Math.min(a / b, LEVEL_MULTIPLIER)
}

function pickExpiredWhole({ shape, now }: Situation): Pick | undefined {
  const tables = shape.flatMap((level, i) => level.filter((table) => isWhollyExpired(shape, table, i, now)))
  return tables.length === 0 ? undefined : { action: 'drop', reason: 'expired', urgency: 100, tables }
}

/** For every level that has outgrown its target the step that brings it back. */
function levelPicks(situation: Situation, targets: LevelTargets): (Pick | undefined)[] {
  const { shape } = situation
  const picks: (Pick | undefined)[] = []
  const runs = shape[0]!
  if (runs.length >= LEVEL0_RUNS) {
    const urgency = runs.length / LEVEL0_RUNS
    const minor = isCheapBelow(situation, targets) ? undefined : pickMinor(situation, urgency)
    picks.push(minor ?? pickLevel0(situation, targets, 'level 0 is full', urgency))
  }
  for (let level = 1; level < LAST_LEVEL; level++) {
    const bytes = bytesOf(shape[level]!)
    if (bytes === 0) continue
    // A level above the base is a remainder of a larger store; 2: sooner than most, later than a level 0 in need.
    const urgency = level < targets.base ? 2 : bytes / targets.bytes[level]!
    const isDue = level < targets.base || bytes > targets.bytes[level]!
    if (isDue) picks.push(pickLightest(situation, targets, level, `level ${level} is full`, urgency))
  }
  return picks
}

/** Whether merging level 0 down rewrites little beside what it brings down. */
function isCheapBelow({ shape }: Situation, targets: LevelTargets): boolean {
  const runs = shape[0]!
  const below = overlappingOf(shape, nextLevel(shape, 0, targets.base), hull(runs))
  return bytesOf(below) <= bytesOf(runs) * MINOR_BELOW_RATIO
}

/** Tables that are worth rewriting for what is in them, whatever the size of their level. */
function pickSpoiled(situation: Situation, targets: LevelTargets): Pick | undefined {
  const { shape, hinted, pins, now, quiet } = situation
  const runs = shape[0]!
  const deletions = runs.reduce((sum, table) => sum + table.deletionCount, 0)
  const entries = runs.reduce((sum, table) => sum + table.entryCount, 0)
  if (runs.length > 1 && deletions >= entries * DENSE_DELETION_SHARE && deletions > 0) {
    return pickLevel0(situation, targets, 'deletions', 1)
  }
  const expiredFrom = quiet ? QUIET_UPPER_SHARE : EXPIRED_SHARE
  for (let level = 0; level <= LAST_LEVEL; level++) {
    for (const table of shape[level]!) {
      const reason =
        expiredShare(table, now) >= expiredFrom
          ? 'expiry'
          : level < LAST_LEVEL
            ? spoiledByDeletions(table, level, hinted.has(table.number))
            : isReleased(table, pins) && isMuchHeld(table)
              ? 'released snapshots'
              : undefined
      if (reason === undefined) continue
      const pick = pickDown(situation, targets, level, table, reason, 1)
      if (pick !== undefined) return pick
    }
  }
  return undefined
}

function spoiledByDeletions(table: TableMeta, level: number, isHinted: boolean): string | undefined {
  if (isHinted && (table.deletionCount > 0 || table.rangeTombstoneCount > 0)) return 'slow scans'
  if (level === 0) return undefined
  return table.deletionCount >= table.entryCount * DENSE_DELETION_SHARE && table.deletionCount > 0
    ? 'deletions'
    : undefined
}

function isMuchHeld(table: TableMeta): boolean {
  return table.rangeTombstoneCount > 0 || table.heldCount + table.deletionCount >= table.entryCount * RELEASED_SHARE
}

/** Brings what stands above the last level below a tenth of it, so that a store at rest takes little more than its data. */
function pickQuiet(situation: Situation, targets: LevelTargets): Pick | undefined {
  const { shape } = situation
  for (let level = 0; level < LAST_LEVEL; level++) {
    // Nobody knows how much is hidden by a range tombstone: it goes down as far as it can.
    const table = shape[level]!.find((candidate) => candidate.rangeTombstoneCount > 0)
    const pick = table && pickDown(situation, targets, level, table, 'range deletions', 1)
    if (pick !== undefined) return pick
  }
  const entryBytes = averageEntryBytes(shape)
  const weights = shape.map((tables) => tables.reduce((sum, table) => sum + weightOf(table, entryBytes), 0))
  const upper = weights.slice(0, LAST_LEVEL).reduce((sum, weight) => sum + weight, 0)
  if (upper === 0 || upper <= bytesOf(shape[LAST_LEVEL]!) * QUIET_UPPER_SHARE) return undefined
  const heaviest = weights.indexOf(Math.max(...weights.slice(0, LAST_LEVEL)))
  return heaviest === 0
    ? pickLevel0(situation, targets, 'quiet', 1)
    : pickLightest(situation, targets, heaviest, 'quiet', 1)
}

/** All of level 0: any of its runs may hide what another one has. */
function pickLevel0(situation: Situation, targets: LevelTargets, reason: string, urgency: number): Pick | undefined {
  const { shape } = situation
  const runs = shape[0]!
  if (runs.length === 0) return undefined
  const level = nextLevel(shape, 0, targets.base)
  // The oldest run may pass what is newer, but only where nothing below has any of its keys.
  const move = moveOf(situation, 0, runs.at(-1)!, level, reason, urgency)
  return (
    move ??
    mergeInto(
      situation,
      runs.map((run) => [run]),
      level,
      reason,
      urgency,
    )
  )
}

/** Of the tables of a level the one that costs least to push down: the fewest bytes to rewrite for each byte that goes. */
function pickLightest(
  situation: Situation,
  targets: LevelTargets,
  level: number,
  reason: string,
  urgency: number,
): Pick | undefined {
  const { shape } = situation
  const below = nextLevel(shape, level, targets.base)
  const entryBytes = averageEntryBytes(shape)
  const costs = shape[level]!.map((table) => ({
    table,
    cost: bytesOf(overlappingOf(shape, below, table)) / weightOf(table, entryBytes),
  }))
  costs.sort((a, b) => a.cost - b.cost)
  for (const { table } of costs) {
    const pick = pickDown(situation, targets, level, table, reason, urgency)
    if (pick !== undefined) return pick
  }
  return undefined
}

/** One table of a level and what it overlaps on the next. */
function pickDown(
  situation: Situation,
  targets: LevelTargets,
  level: number,
  table: TableMeta,
  reason: string,
  urgency: number,
): Pick | undefined {
  if (level === 0) return pickLevel0(situation, targets, reason, urgency)
  if (level === LAST_LEVEL) return undamaged(situation, merge([[table]], LAST_LEVEL, reason, urgency))
  const below = nextLevel(situation.shape, level, targets.base)
  return (
    moveOf(situation, level, table, below, reason, urgency) ?? mergeInto(situation, [[table]], below, reason, urgency)
  )
}

/**
 * A table that overlaps nothing below is moved by an edit alone, unless it is to be compressed there, or rewritten for
 * what is in it.
 */
function moveOf(
  { shape, compression }: Situation,
  from: number,
  table: TableMeta,
  level: number,
  reason: string,
  urgency: number,
): Pick | undefined {
  if (table.compression !== compressionOf(shape, level, compression)) return undefined
  if (table.bytes > LARGEST_MOVED_BYTES) return undefined
  const isGarbageCollected = table.deletionCount > 0 || table.rangeTombstoneCount > 0 || table.heldCount > 0
  if (isGarbageCollected && level === LAST_LEVEL) return undefined
  for (let below = from + 1; below <= level; below++) {
    if (overlappingOf(shape, below, table).length > 0) return undefined
  }
  return { action: 'move', tables: [table], level, reason, urgency }
}

function mergeInto(
  situation: Situation,
  runs: readonly (readonly TableMeta[])[],
  level: number,
  reason: string,
  urgency: number,
): Pick | undefined {
  const below = overlappingOf(situation.shape, level, hull(runs.flat()))
  return undamaged(situation, merge(below.length === 0 ? runs : [...runs, below], level, reason, urgency))
}

function merge(runs: MergePick['runs'], level: number, reason: string, urgency: number): MergePick {
  return { action: 'merge', runs, level, reason, urgency, tableBytes: TABLE_BYTES }
}

function undamaged(situation: Situation, pick: MergePick): Pick | undefined {
  return isUndamaged(pick, situation.damaged) ? pick : undefined
}

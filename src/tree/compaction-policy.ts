import type { CompressionName } from '../bytes/compression.js'
import type { EpochMs, FileNumber, Position } from '../bytes/units.js'
import type { LevelShape } from './level-shape.js'
import type { TableMeta } from './table-meta.js'
import type { CompactionStyle, FifoLimits } from './tree-options.js'

/** What a policy decides on: a tree at one moment. */
export interface Situation {
  readonly shape: LevelShape
  readonly now: EpochMs
  /** Where snapshots and scans read, ascending. */
  readonly pins: readonly Position[]
  /** Tables on which scans crawled over deletions. */
  readonly hinted: ReadonlySet<FileNumber>
  /** Tables that turned out damaged: no pick may read them. */
  readonly damaged: ReadonlySet<FileNumber>
  /** Nothing was written for a while, so work that only saves space is due too. */
  readonly quiet: boolean
  readonly compression: CompressionName
  readonly fifo: FifoLimits | undefined
  /** Keys before this one are not needed any more; their tables may be dropped unread. */
  readonly trimmedBefore: Uint8Array | undefined
}

/** What to do next for a tree, and how badly it needs it: from 1 on, more is more urgent. */
export type Pick = MergePick | MovePick | DropPick

interface PickBase {
  readonly reason: string
  readonly urgency: number
}

/** Reads tables and writes them again as one run. */
export interface MergePick extends PickBase {
  readonly action: 'merge'
  /** Sorted runs: each without overlap, in key order. */
  readonly runs: readonly (readonly TableMeta[])[]
  readonly level: number
  /** `Infinity`: the run becomes one table. */
  readonly tableBytes: number
}

/** Lets tables count for another level as they are. */
export interface MovePick extends PickBase {
  readonly action: 'move'
  readonly tables: readonly TableMeta[]
  readonly level: number
}

/** Forgets tables unread. */
export interface DropPick extends PickBase {
  readonly action: 'drop'
  readonly tables: readonly TableMeta[]
}

/** Decides from the shape of a tree alone; keeps nothing. */
export interface CompactionPolicy {
  readonly style: CompactionStyle
  /** The most urgent step; `undefined` where nothing is due. */
  pick(situation: Situation): Pick | undefined
  /** Bytes that steps which are due would rewrite. */
  pendingBytes(shape: LevelShape): number
}

export function isUndamaged(pick: Pick, damaged: ReadonlySet<FileNumber>): boolean {
  if (damaged.size === 0 || pick.action !== 'merge') return true
  return pick.runs.every((run) => run.every((table) => !damaged.has(table.number)))
}

import type { FileNumber } from '../../bytes/units.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { differenceFrom } from '../../tree/table-meta.js'
import { gapsOf, isUnbroken, isWholeSegment, type LogGap } from './found-log.js'
import { type FoundCurrent, type FoundManifest, type Knowledge, knowledgeOf } from './found-manifest.js'
import type { FoundTable } from './found-table.js'
import { FoundTrees, treesWrittenBy } from './found-trees.js'
import type { Inventory } from './inventory.js'
import { type Membership, membershipOf } from './membership.js'

/** What the files of a store, taken together, say about what the store was. Nothing is read or written any more. */
export class Survey {
  readonly current: FoundCurrent
  readonly manifests: readonly FoundManifest[]
  readonly tables: readonly FoundTable[]
  readonly segments: readonly LogSalvage[]
  readonly knowledge: Knowledge
  /** Segments before this one stand in tables. */
  readonly logFrom: FileNumber
  readonly storeId: number | undefined
  readonly membership: Membership
  readonly trees: FoundTrees
  /** Segments that belong to the store and may hold what no table has, oldest first. */
  readonly neededLog: readonly LogSalvage[]
  /** What is missing between them and behind them. */
  readonly logGaps: readonly LogGap[]
  /** Whether they stay what the log of the store is. If not, they are read into tables. */
  readonly keepsLog: boolean
  readonly firstFreeNumber: FileNumber

  /** `refused`: an opening does not take the log, whatever is wrong with it. */
  constructor({ current, manifests, tables, segments, highestNumber }: Inventory, opening?: 'refused') {
    this.current = current
    this.manifests = manifests
    this.tables = tables
    this.segments = segments
    this.knowledge = knowledgeOf(manifests, current, new Set(tables.map(({ number }) => number)), segments)
    const { state } = this.knowledge
    this.logFrom = tables.reduce((from, { origin }) => Math.max(from, origin.logFrom ?? 0), state.logFrom)
    this.storeId = state.storeId || segments.findLast(({ header }) => header !== undefined)?.header?.storeId
    this.neededLog = segments.filter((segment) => this.isNeeded(segment))
    const knownSynced = state.clean?.end ?? 0
    this.logGaps = gapsOf(this.neededLog, knownSynced)
    this.membership = membershipOf(tables, this.knowledge, (number) =>
      this.neededLog.some((segment) => segment.number === number && isWholeSegment(segment)),
    )
    this.trees = new FoundTrees(state.trees.values(), tables, segments)
    // Whoever has data is a tree of the store, named or not.
    for (const { properties } of this.members) if (properties !== undefined) this.trees.get(properties.tree)
    for (const segment of this.neededLog) for (const tree of treesWrittenBy(segment)) this.trees.get(tree)
    const isTaken = opening !== 'refused' && this.isAboveTables()
    this.keepsLog = isTaken && isUnbroken(this.neededLog, this.storeId ?? 0, knownSynced)
    this.firstFreeNumber = this.highestMentioned(highestNumber) + 1
  }

  get members(): readonly FoundTable[] {
    return this.membership.members
  }

  get keptLog(): readonly LogSalvage[] {
    return this.keepsLog ? this.neededLog : []
  }

  get replayedLog(): readonly LogSalvage[] {
    return this.keepsLog ? [] : this.neededLog
  }

  /** Whether the store can be opened as it is and has everything that it ever had. */
  get isIntact(): boolean {
    return (
      this.current.problem === undefined &&
      this.knowledge.isExact &&
      this.keepsLog &&
      this.members.every((table) => table.damage === undefined && this.isAsKnown(table))
    )
  }

  /** Whether the manifest says of a sound table what it says of itself. */
  private isAsKnown({ number, properties, bytes }: FoundTable): boolean {
    const meta = this.knowledge.state.tables.get(number)
    return meta === undefined || properties === undefined || differenceFrom(meta, properties, bytes) === undefined
  }

  /** Whether every table that the store is known to have is there and sound. */
  get hasAllTables(): boolean {
    const present = new Set(this.tables.map(({ number }) => number))
    return (
      this.members.every((table) => table.damage === undefined) &&
      [...this.knowledge.state.tables.keys()].every(
        (number) => present.has(number) || this.membership.replaced.has(number),
      )
    )
  }

  isForeign({ header }: LogSalvage): boolean {
    return header !== undefined && header.storeId !== this.storeId
  }

  private isNeeded(segment: LogSalvage): boolean {
    return segment.number >= this.logFrom && segment.base !== undefined && !this.isForeign(segment)
  }

  /** What is in the log is taken for newer than what is in tables. */
  private isAboveTables(): boolean {
    const [first] = this.neededLog
    if (first === undefined) return true
    return this.members.every((table) => (this.highestIn(table) ?? 0) < first.base!)
  }

  private highestIn({ number, properties }: FoundTable): number | undefined {
    return properties?.maxPosition ?? this.knowledge.state.tables.get(number)?.highestPosition
  }

  private highestMentioned(highest: FileNumber): FileNumber {
    const { lease, tables } = this.knowledge.state
    const { replaced } = this.membership
    return [lease.files - 1, ...tables.keys(), ...replaced].reduce((most, number) => Math.max(most, number), highest)
  }
}

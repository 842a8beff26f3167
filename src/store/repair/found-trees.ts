import { getText } from '../../bytes/text.js'
import type { TreeId } from '../../bytes/units.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import {
  KIND_TREE,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
} from '../../log/operation.js'
import type { TreeRecord } from '../../tree/manifest-state.js'
import { readTreeOptions } from '../../tree/tree-options.js'
import { operationsOf } from './found-log.js'
import type { FoundTable } from './found-table.js'

/**
 * The trees of a store, from whoever knows them: the manifest, the tables, the operations in the log that made them. A tree that
 * is only known by its number gets a name, so that its data can be had.
 */
export class FoundTrees {
  private readonly records = new Map<TreeId, TreeRecord>()
  private readonly names = new Set<string>()

  constructor(known: Iterable<TreeRecord>, tables: readonly FoundTable[], segments: readonly LogSalvage[]) {
    for (const record of known) this.learn(record)
    for (const table of tables.toSorted((a, b) => b.number - a.number)) this.learnFromTable(table)
    for (const segment of segments) this.learnFromLog(segment)
  }

  get all(): TreeRecord[] {
    return [...this.records.values()]
  }

  get(id: TreeId): TreeRecord {
    return this.records.get(id) ?? this.learn({ id, name: this.freeName(id), options: {} })
  }

  private learn(record: TreeRecord): TreeRecord {
    const present = this.records.get(record.id)
    if (present !== undefined) return present
    this.records.set(record.id, record)
    this.names.add(record.name)
    return record
  }

  private learnFromTable({ properties, origin }: FoundTable): void {
    const { name, options = {} } = origin
    if (properties !== undefined && name !== undefined) this.learn({ id: properties.tree, name, options })
  }

  private learnFromLog(segment: LogSalvage): void {
    const { bytes } = segment
    for (const operation of operationsOf(segment)) {
      if (operationKind(bytes, operation) !== KIND_TREE) continue
      const keyStart = operationKeyStart(bytes, operation)
      const keyEnd = keyStart + operationKeyLength(bytes, operation)
      const options = readTreeOptions(bytes, keyEnd, keyEnd + operationValueLength(bytes, operation))
      this.learn({
        id: operationTree(bytes, operation),
        name: getText(bytes, keyStart, keyEnd),
        options: options ?? {},
      })
    }
  }

  /** The first tree of a store is nearly always the default keyspace, which has no name. */
  private freeName(id: TreeId): string {
    const name = id === 0 ? '' : `recovered-${id}`
    return this.names.has(name) ? `recovered-${id}-${this.names.size}` : name
  }
}

/** Which trees a segment writes to. */
export function treesWrittenBy(segment: LogSalvage): Set<TreeId> {
  const trees = new Set<TreeId>()
  for (const operation of operationsOf(segment)) trees.add(operationTree(segment.bytes, operation))
  return trees
}

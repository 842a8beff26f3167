import type { TreeId } from '../bytes/units.js'
import { startsBefore } from './key-range.js'
import type { ManifestState } from './manifest-state.js'
import { byKey, type TableMeta } from './table-meta.js'

/**
 * What of a state, each of whose fields is right in itself, cannot be: reading relies on tables of one level that do not overlap,
 * and writing on positions that are above all of them.
 */
export function contradictionIn({ tables, trees, lease, storeId }: ManifestState): string | undefined {
  if (storeId === 0) return 'it does not say of which store it is'
  const names = new Set([...trees.values()].map(({ name }) => name))
  if (names.size < trees.size) return 'two keyspaces have the same name'
  const runs = new Map<string, { level: number; run: TableMeta[] }>()
  for (const table of tables.values()) {
    const { number, tree, level, highestPosition } = table
    if (!trees.has(tree)) return `table ${number} belongs to keyspace ${tree}, which is not there`
    if (highestPosition > lease.positions) return `table ${number} holds positions that nobody has reached`
    if (level === 0) continue
    const key = runKey(tree, level)
    const present = runs.get(key)
    if (present === undefined) runs.set(key, { level, run: [table] })
    else present.run.push(table)
  }
  for (const { level, run } of runs.values()) {
    run.sort(byKey)
    for (let i = 1; i < run.length; i++) {
      const { end, number } = run[i - 1]!
      if (end === undefined || startsBefore(run[i]!, end)) {
        return `tables ${number} and ${run[i]!.number} overlap on level ${level}`
      }
    }
  }
  return undefined
}

function runKey(tree: TreeId, level: number): string {
  return `${tree}/${level}`
}

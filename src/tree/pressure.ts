import type { CompactionScheduler } from './compaction-scheduler.js'
import type { Tree } from './tree.js'
import { SLOW_PENDING_BYTES, SLOW_RUNS, STOP_PENDING_BYTES, STOP_RUNS, TIER_RUNS } from './tuning.js'

/** How far compaction is behind. */
export interface Pressure {
  /** Below 1 nothing is behind, from 1 on writers should slow down, at 2 stop; what is between is a degree. */
  readonly debt: number
  readonly reason?: string
}

/** The pressure of the tree that is furthest behind. */
export function pressureOf(trees: Iterable<Tree>, scheduler: CompactionScheduler): Pressure {
  let debt = 0
  let reason = ''
  const consider = (tree: Tree, what: string, amount: number, slow: number, stop: number): void => {
    const own = amount <= slow ? amount / slow : 1 + (amount - slow) / (stop - slow)
    if (own <= debt) return
    debt = own
    reason = tree.name === '' ? what : `${what} in ${tree.name}`
  }
  for (const tree of trees) {
    const style = scheduler.styleOf(tree)
    // Tables that never overlap cost no read anything, however many they are.
    if (style === 'fifo') continue
    const runs = tree.version.levels[0]!.length
    const allowance = style === 'tiered' ? TIER_RUNS * 2 : 0
    consider(tree, 'runs pile up on level 0', runs, SLOW_RUNS + allowance, STOP_RUNS + allowance * 2)
    const pending = scheduler.policyOf(tree).pendingBytes(tree.version.metas())
    consider(tree, 'compaction is behind', pending, SLOW_PENDING_BYTES, STOP_PENDING_BYTES)
  }
  return { debt: Math.min(2, debt), ...(debt >= 1 ? { reason } : {}) }
}
